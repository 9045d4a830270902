// The subcommand as main.cpp uses it, against a scripted server.

#include "bench/bench_command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/metrics.h"
#include "tests/bench/scripted_server.h"

namespace xcloud {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using Json = nlohmann::json;

struct Ran {
  int exit_code = -1;
  std::string out;
  std::string err;
};

Ran Bench(std::vector<std::string> arguments) {
  CLI::App app;
  Ran ran;
  AddBenchCommand(app, ran.exit_code);
  arguments.insert(arguments.begin(), "bench");
  std::reverse(arguments.begin(), arguments.end());  // CLI11 wants the last first
  ::testing::internal::CaptureStdout();
  ::testing::internal::CaptureStderr();
  app.parse(arguments);
  ran.out = ::testing::internal::GetCapturedStdout();
  ran.err = ::testing::internal::GetCapturedStderr();
  return ran;
}

// Ten requests at 50/s; a slow machine must not make the run invalid.
std::vector<std::string> ShortRun(const ScriptedServer& server, const std::string& mode) {
  return {"--url",        server.Url("/cv/m"),
          "--mode",       mode,
          "--rate",       "50",
          "--duration-s", "0.2",
          "--warmup-s",   "0",
          "--late-ms",    "1000",
          "--timeout-ms", "60000",
          "--slo-ms",     "60000"};
}

// A server whose batches are of 2 items, 4 ms in the forward of 10 ms in all.
class MeasuredServer {
 public:
  MeasuredServer()
      : server_([this](std::size_t number) { return Count(number); },
                [this](const std::string& path) { return Text(path); }) {}
  ScriptedServer& operator*() { return server_; }

 private:
  ScriptedReply Count(std::size_t number) {
    const Labels model = {{"model", "m"}};
    const auto stage = [&](const char* name, double seconds) {
      registry_
          .GetHistogram("xcloud_stage_seconds", "stages", LatencyBoundsSeconds(),
                        {{"model", "m"}, {"stage", name}})
          .Observe(seconds);
    };
    if (number % 2 == 1) {
      registry_.GetHistogram("xcloud_batch_size", "items", BatchSizeBounds(), model).Observe(2);
    }
    stage("decode", 0.002);
    stage("infer", 0.004);
    registry_.GetHistogram("xcloud_request_seconds", "requests", LatencyBoundsSeconds(), model)
        .Observe(0.010);
    return {};
  }
  std::optional<std::string> Text(const std::string& path) {
    if (path == "/metrics") return registry_.Render();
    if (path == "/api/services") {
      return R"([{"name":"m","version":"1","backend":"null","state":"ready"}])";
    }
    return std::nullopt;
  }

  MetricsRegistry registry_;
  ScriptedServer server_;
};

TEST(BenchCommandTest, MeasuresAServerAndWritesEverythingAsJson) {
  MeasuredServer server;
  const auto file = std::filesystem::temp_directory_path() /
                    ("xcloud-bench-" + std::to_string(getpid()) + ".json");
  auto arguments = ShortRun(*server, "constant");
  for (const char* more : {"--repeat", "2", "--server-pid"}) arguments.emplace_back(more);
  arguments.push_back(std::to_string(getpid()));
  arguments.insert(arguments.end(), {"--json", file.string()});
  const Ran ran = Bench(arguments);
  EXPECT_EQ(ran.exit_code, 0) << ran.out << ran.err;
  EXPECT_THAT(
      ran.out,
      AllOf(HasSubstr("services  m 1 null ready"), HasSubstr("constant arrivals at 50.0/s"),
            HasSubstr("P99.9"), HasSubstr("(100.00 % within 60000.0 ms)"),
            HasSubstr("failures   none"), HasSubstr("mean 2.00 items:  2: 100.0 %"),
            HasSubstr("outside    40.0 % of a request's time"), HasSubstr("spread over 2 runs")));
  std::ifstream in(file);
  const Json json = Json::parse(in);
  std::filesystem::remove(file);
  ASSERT_EQ(json["runs"].size(), 2U);
  for (const Json& run : json["runs"]) {
    EXPECT_EQ(run["offered"], 10);
    EXPECT_EQ(run["ok"], 10);
    EXPECT_EQ(run["valid"], true);
    EXPECT_EQ(run["latency_ms"]["count"], 10);
    EXPECT_GT(run["latency_ms"]["p99"].get<double>(), 0);
    EXPECT_EQ(run["server"]["batch_size"]["mean"], 2);
    EXPECT_NEAR(run["server"]["share_outside_decode_and_forward"].get<double>(), 0.4, 1e-9);
    EXPECT_GE(run["server_cores"].get<double>(), 0);
  }
  EXPECT_EQ(json["runs"][1]["seed"], 2);
  EXPECT_EQ(json["conditions"]["services"][0]["name"], "m");
  EXPECT_FALSE(json["conditions"]["cpu"].get<std::string>().empty());
}

TEST(BenchCommandTest, FailsWhenNothingIsAnswered) {
  ScriptedServer server([](std::size_t) { return ScriptedReply{Fate::kAnswer, 503}; });
  const Ran ran = Bench(ShortRun(server, "poisson"));
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_THAT(ran.out, HasSubstr("http 503: "));
  EXPECT_THAT(ran.out, HasSubstr("/metrics: not offered by this server"));
  EXPECT_THAT(ran.err, HasSubstr("nothing was answered"));
}

TEST(BenchCommandTest, TellsRefusalsAndExpiries) {
  ScriptedServer server([](std::size_t number) {
    const int statuses[] = {200, 429, 504, 504, 504};
    return ScriptedReply{Fate::kAnswer, statuses[number % 5]};
  });
  const auto file = std::filesystem::temp_directory_path() /
                    ("xcloud-bench-refusals-" + std::to_string(getpid()) + ".json");
  auto arguments = ShortRun(server, "constant");
  // All early: no answer takes a minute.
  arguments.insert(arguments.end(), {"--deadline-ms", "60000", "--json", file.string()});
  const Ran ran = Bench(arguments);
  EXPECT_EQ(ran.exit_code, 0) << ran.out << ran.err;
  EXPECT_THAT(ran.out,
              AllOf(HasSubstr("deadlines 60000 ms in turn"),
                    HasSubstr("20.00 % of all 10, 25.00 % of the 8 admitted"),
                    HasSubstr("  http 429   2, ms from the send: P50 "), HasSubstr("http 504   6"),
                    HasSubstr("expiry     0 answers of 504 at or after the deadline"),
                    HasSubstr("; 6 before it")));
  std::ifstream in(file);
  const Json run = Json::parse(in)["runs"][0];
  std::filesystem::remove(file);
  EXPECT_EQ(run["refused"], 2);
  EXPECT_EQ(run["admitted"], 8);
  EXPECT_DOUBLE_EQ(run["admitted_share"].get<double>(), 0.25);
  EXPECT_EQ(run["refusal_latency_ms"]["504"]["count"], 6);
  EXPECT_EQ(run["expired_early"], 6);
}

TEST(BenchCommandTest, FailsWhenTheGeneratorFellBehind) {
  // One connection, and the first answer only when the timeout has ended it: all others wait.
  ScriptedServer server(
      [](std::size_t number) { return ScriptedReply{number == 0 ? Fate::kHold : Fate::kAnswer}; });
  auto arguments = ShortRun(server, "constant");
  arguments.insert(arguments.end(), {"--connections", "1"});
  arguments[std::find(arguments.begin(), arguments.end(), "60000") - arguments.begin()] = "100";
  arguments[std::find(arguments.begin(), arguments.end(), "60000") - arguments.begin()] = "50";
  const Ran ran = Bench(arguments);
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_THAT(ran.out, HasSubstr("INVALID    generator fell behind: "));
  EXPECT_THAT(ran.err, HasSubstr("a run is INVALID"));
}

TEST(BenchCommandTest, RefusesToLoadAnotherMachine) {
  const Ran ran = Bench({"--url", "http://192.0.2.1/cv/x"});
  EXPECT_EQ(ran.exit_code, 2);
  EXPECT_THAT(ran.err, HasSubstr("--allow-remote"));
}

TEST(BenchCommandTest, SaysThatNoServerIsThere) {
  const Ran ran = Bench({"--url", "http://127.0.0.1:" + std::to_string(UnusedPort()) + "/cv/x"});
  EXPECT_EQ(ran.exit_code, 2);
  EXPECT_THAT(ran.err, AllOf(HasSubstr("nothing answers"), HasSubstr("xcloud serve")));
}

TEST(BenchCommandTest, SaysWhatIsWrongBeforeItSends) {
  ScriptedServer server([](std::size_t) { return ScriptedReply{}; });
  auto arguments = ShortRun(server, "closed");  // with a rate
  EXPECT_EQ(Bench(arguments).exit_code, 2);
  arguments = ShortRun(server, "constant");
  arguments.insert(arguments.end(), {"--image", "/no/such/photo.jpg"});
  const Ran ran = Bench(arguments);
  EXPECT_EQ(ran.exit_code, 2);
  EXPECT_THAT(ran.err, HasSubstr("/no/such/photo.jpg"));
  EXPECT_EQ(server.received(), 0U);
}

TEST(BenchCommandTest, HelpTeachesTheModesAndDefaults) {
  CLI::App app;
  int exit_code = 0;
  AddBenchCommand(app, exit_code);
  const std::string help = app.get_subcommand("bench")->help();
  EXPECT_THAT(help, AllOf(HasSubstr("closed "), HasSubstr("poisson "), HasSubstr("Examples:"),
                          HasSubstr("=10"), HasSubstr("Exit code")));
}

}  // namespace
}  // namespace xcloud
