// The subcommand as main.cpp reaches it, through `bench`.

#include "bench/policies/policies_command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "bench/bench_command.h"

namespace xcloud {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

struct Ran {
  int exit_code = -1;
  std::string out;
  std::string err;
};

Ran Policies(std::vector<std::string> arguments) {
  CLI::App app;
  Ran ran;
  AddBenchCommand(app, ran.exit_code);
  arguments.insert(arguments.begin(), {"bench", "policies", "--seeds", "1", "--requests", "200"});
  std::reverse(arguments.begin(), arguments.end());  // CLI11 wants the last first
  ::testing::internal::CaptureStdout();
  ::testing::internal::CaptureStderr();
  try {
    app.parse(arguments);
  } catch (const CLI::ParseError& error) {
    ran.exit_code = app.exit(error);
  }
  ran.out = ::testing::internal::GetCapturedStdout();
  ran.err = ::testing::internal::GetCapturedStderr();
  return ran;
}

std::string ReadFile(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

TEST(PoliciesCommandTest, PrintsTheTableAndWritesTheFiles) {
  const std::filesystem::path folder =
      std::filesystem::path(::testing::TempDir()) / "policies_command";
  std::filesystem::create_directories(folder);
  const std::string json = folder / "p.json";
  const std::string svg = folder / "p.svg";
  const Ran ran = Policies({"--scenario", "h100", "--json", json, "--svg", svg});
  EXPECT_EQ(ran.exit_code, 0);
  EXPECT_THAT(ran.err, IsEmpty()) << "no progress into a file";
  EXPECT_THAT(ran.out, HasSubstr("### H100-like\n"));
  EXPECT_THAT(ran.out, HasSubstr("| take all | "));
  EXPECT_EQ(nlohmann::json::parse(ReadFile(json))["scenarios"][0]["name"], "h100");
  EXPECT_THAT(ReadFile(svg), HasSubstr("</svg>"));
  std::filesystem::remove_all(folder);
}

TEST(PoliciesCommandTest, TakesMeasuredBatchTimes) {
  const Ran ran = Policies({"--times", "1:31,4:98,16:380", "--slo-ms", "500", "--lanes", "2",
                            "--models", "3", "--jitter", "0.1"});
  EXPECT_EQ(ran.exit_code, 0);
  EXPECT_THAT(ran.out, HasSubstr("2 lanes, 3 models, l(b) = measured (1:31,4:98,16:380) ms, SLO "
                                 "500 ms, max_batch 16, batch times +- 10 %"));
}

TEST(PoliciesCommandTest, SaysWhatIsWrong) {
  const Ran times = Policies({"--times", "1:31,x"});
  EXPECT_EQ(times.exit_code, 2);
  EXPECT_THAT(times.err, HasSubstr("--times: 'x' is not items:milliseconds"));
  EXPECT_THAT(Policies({"--scenario", "mars"}).err, HasSubstr("--scenario: there is no 'mars'"));
  EXPECT_THAT(Policies({"--scenario", "h100", "--times", "1:2"}).err, HasSubstr("use one"));
  EXPECT_NE(Policies({"--seeds", "0"}).exit_code, 0);
  const Ran unwritable = Policies({"--scenario", "h100", "--svg", "/nonexistent/p.svg"});
  EXPECT_EQ(unwritable.exit_code, 2);
  EXPECT_THAT(unwritable.err, HasSubstr("--svg: cannot write /nonexistent/p.svg"));
}

TEST(PoliciesCommandTest, HelpTeaches) {
  const Ran ran = Policies({"--help"});
  EXPECT_EQ(ran.exit_code, 0);
  EXPECT_THAT(ran.out, HasSubstr("Compares batching policies in a simulation"));
  EXPECT_THAT(ran.out, HasSubstr("cpu-resnet18"));
}

}  // namespace
}  // namespace xcloud
