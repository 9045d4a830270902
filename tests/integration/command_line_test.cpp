// What a person types: help, --check, and what is said when something is wrong.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "tests/support/server_process.h"

namespace xcloud {
namespace {

using ::testing::HasSubstr;

class ConfigFile {
 public:
  explicit ConfigFile(const std::string& text)
      : path_(::testing::TempDir() + "xcloud_command_line_" + std::to_string(getpid()) + ".toml") {
    std::ofstream(path_) << text;
  }
  ~ConfigFile() { std::filesystem::remove(path_); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

TEST(CommandLineTest, HelpTeachesTheSubcommands) {
  const ProgramResult help = RunXcloud({"--help"});
  EXPECT_EQ(help.exit_code, 0);
  for (const char* word : {"serve", "bench", "config"}) EXPECT_THAT(help.out, HasSubstr(word));
  EXPECT_THAT(RunXcloud({"serve", "--help"}).out, HasSubstr("--set server.port=0"));
}

TEST(CommandLineTest, CheckAcceptsTheShippedFile) {
  const ProgramResult result = RunXcloud({"serve", "--check", "--config", "configs/xcloud.toml"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("valid"));
}

TEST(CommandLineTest, RefusesAWrongFileNamingFileLineAndKey) {
  const ConfigFile file("[server]\nport = 8080\n\n[decode]\ntreads = 2\nmax_pixels = 'many'\n");
  for (const bool check : {true, false}) {
    std::vector<std::string> arguments = {"serve", "--config", file.path()};
    if (check) arguments.push_back("--check");
    const ProgramResult result = RunXcloud(arguments);
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_THAT(result.err, HasSubstr(file.path() + ":5: decode.treads: unknown key; did you "
                                                    "mean 'decode.threads'?"));
    EXPECT_THAT(result.err, HasSubstr(file.path() + ":6: decode.max_pixels: must be a whole"));
  }
}

TEST(CommandLineTest, CheckTellsAllThatServeWouldRefuse) {
  const ProgramResult result = RunXcloud(
      {"serve", "--check", "--set", "storage.url=redis:x", "--set", "server.address=300.1.1.1",
       "--set", "repository.path=no-such-folder", "--set", "device.0.name=a", "--set",
       "device.1.name=a", "--set", "fetch.allow=['https://a.org']"});
  EXPECT_EQ(result.exit_code, 1);
  for (const char* word : {"[storage] url", "300.1.1.1", "no-such-folder", "device 'a'",
                           "fetch.allow: 'https://a.org'"}) {
    EXPECT_THAT(result.err, HasSubstr(word));
  }
}

TEST(CommandLineTest, RefusesWhatCannotBeHad) {
  EXPECT_THAT(RunXcloud({"serve", "--config", "no-such-file.toml"}).err,
              HasSubstr("no-such-file.toml"));
  EXPECT_THAT(RunXcloud({"serve", "--set", "repository.path=no-such-folder", "--set",
                         "storage.url=sqlite::memory:"})
                  .err,
              HasSubstr("no-such-folder"));
  EXPECT_THAT(RunXcloud({"serve", "--set", "storage.url=redis:x"}).err, HasSubstr("[storage] url"));
  EXPECT_THAT(RunXcloud({"serve", "--set", "server.address=300.1.1.1", "--set",
                         "storage.url=sqlite::memory:", "--set", "repository.path=bench/models"})
                  .err,
              HasSubstr("300.1.1.1"));
}

TEST(CommandLineTest, APortInUseIsNamed) {
  ServerProcess first;
  ASSERT_TRUE(first.Start("bench/models")) << first.error();
  const std::string port = std::to_string(first.port());
  const ProgramResult second =
      RunXcloud({"serve", "--set", "server.port=" + port, "--set", "repository.path=bench/models",
                 "--set", "storage.url=sqlite::memory:"});
  EXPECT_EQ(second.exit_code, 1);
  EXPECT_THAT(second.err, HasSubstr(port));
}

}  // namespace
}  // namespace xcloud
