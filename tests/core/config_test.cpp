#include "core/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>

namespace xcloud {
namespace {

using ::testing::HasSubstr;

std::string ReadFile(const std::string& path) {
  std::ifstream in(std::string(XCLOUD_SOURCE_DIR) + "/" + path);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

TEST(ConfigTest, ReadsEverySection) {
  Config config;
  const Status status = ApplyConfigText(
      "[server]\naddress='127.0.0.2'\nport=0\n[fetch]\nallow=['*.example.org']\ntimeout_ms=700\n["
      "decode]\nthreads=3\n[repository]\npath='m'\n"
      "[scheduler]\nprofile_folder=''\nsave_interval_s=5\n[storage]\nurl='sqlite:x.db'\n[log]"
      "\nlevel='warn'\n"
      "[[device]]\nkind='cpu'\nlanes=2\n[[device]]\nkind='cuda'\nindex=1\nprecision='fp16'\n",
      "x.toml", config);
  ASSERT_TRUE(status.ok()) << status.message();
  EXPECT_EQ(config.server.address, "127.0.0.2");
  EXPECT_EQ(config.server.port, 0);
  EXPECT_THAT(config.fetch.allow, ::testing::ElementsAre("*.example.org"));
  EXPECT_EQ(config.fetch.timeout_ms, 700);
  EXPECT_EQ(config.decode.threads, 3);
  EXPECT_EQ(config.repository.path, "m");
  EXPECT_EQ(config.scheduler.profile_folder, "");
  EXPECT_EQ(config.scheduler.save_interval_s, 5);
  EXPECT_EQ(config.storage.url, "sqlite:x.db");
  EXPECT_EQ(config.log.level, "warn");
  ASSERT_EQ(config.devices.size(), 2U);
  EXPECT_EQ(config.devices[0].lanes, 2);
  EXPECT_EQ(config.devices[1].precision, "fp16");
}

TEST(ConfigTest, RefusesAndNamesFileLineAndKey) {
  Config config;
  const Status status = ApplyConfigText(
      "[server]\nprot=1\nport='x'\n[storage]\nqueue_capacity=0\n[foo]\n[[device]]\nkind='gpu'\n",
      "x.toml", config);
  ASSERT_FALSE(status.ok());
  EXPECT_THAT(status.message(), HasSubstr("x.toml:2: server.prot: unknown key; did you mean"));
  EXPECT_THAT(status.message(), HasSubstr("x.toml:3: server.port: must be a whole number"));
  EXPECT_THAT(status.message(), HasSubstr("x.toml:5: storage.queue_capacity: must be 1 to"));
  EXPECT_THAT(status.message(), HasSubstr("x.toml:6: foo: unknown key"));
  EXPECT_THAT(status.message(), HasSubstr("x.toml:8: device.0.kind: must be one of 'cpu' 'cuda'"));
}

TEST(ConfigTest, ARefusedTextChangesNothing) {
  Config config;
  ASSERT_FALSE(ApplyConfigText("[server]\nport=1\nprot=2\n", "x.toml", config).ok());
  EXPECT_EQ(config.server.port, ServerConfig().port);
}

TEST(ConfigTest, ReadsWhatADeviceStagesResizesAndCallsAHang) {
  Config config;
  const Status status = ApplyConfigText(
      "[[device]]\nkind='cpu'\n"
      "[[device]]\nkind='cuda'\nstaged_batches=1\nresize='gpu'\nhang_timeout_ms=0\n",
      "x.toml", config);
  ASSERT_TRUE(status.ok()) << status.message();
  ASSERT_EQ(config.devices.size(), 2U);
  EXPECT_EQ(config.devices[0].staged_batches, 2);
  EXPECT_EQ(config.devices[0].resize, "cpu");
  EXPECT_EQ(config.devices[0].hang_timeout_ms, 10'000);
  EXPECT_EQ(config.devices[1].staged_batches, 1);
  EXPECT_EQ(config.devices[1].resize, "gpu");
  EXPECT_EQ(config.devices[1].hang_timeout_ms, 0);
}

TEST(ConfigTest, OverridesTakeNumbersTextAndDevices) {
  Config config;
  for (const char* assignment :
       {"server.port=0", "storage.url=sqlite:var/a.db", "repository.path='a b'", "device.0.lanes=2",
        "device.1.kind=cpu", "fetch.allow=['*']"}) {
    const Status status = ApplyConfigOverride(assignment, config);
    EXPECT_TRUE(status.ok()) << status.message();
  }
  EXPECT_EQ(config.server.port, 0);
  EXPECT_EQ(config.storage.url, "sqlite:var/a.db");
  EXPECT_EQ(config.repository.path, "a b");
  EXPECT_THAT(config.fetch.allow, ::testing::ElementsAre("*"));
  ASSERT_EQ(config.devices.size(), 2U);
  EXPECT_EQ(config.devices[0].lanes, 2);
}

TEST(ConfigTest, RefusesAnOverrideThatNamesNothing) {
  Config config;
  EXPECT_THAT(ApplyConfigOverride("server.prot=1", config).message(),
              HasSubstr("--set server.prot=1:1: server.prot: unknown key"));
  EXPECT_THAT(ApplyConfigOverride("server.port", config).message(),
              HasSubstr("must be section.key=value"));
  EXPECT_THAT(ApplyConfigOverride("device.7.lanes=1", config).message(),
              HasSubstr("must name a device by position, 0 to 0"));
  EXPECT_THAT(ApplyConfigOverride("server.port=99999", config).message(),
              HasSubstr("must be 0 to 65535, is 99999"));
}

TEST(ConfigTest, TheShippedFileIsValidAndHoldsTheDefaults) {
  Config config;
  const Status status =
      ApplyConfigText(ReadFile("configs/xcloud.toml"), "configs/xcloud.toml", config);
  ASSERT_TRUE(status.ok()) << status.message();
  EXPECT_EQ(config.server.port, ServerConfig().port);
  EXPECT_EQ(config.storage.url, StorageConfig().url);
}

TEST(ConfigTest, TheReadmeListsEveryKeyAsDeclared) {
  EXPECT_THAT(ReadFile("configs/README.md"), HasSubstr(DescribeConfig()))
      << "paste the output of 'xcloud config' into configs/README.md";
}

}  // namespace
}  // namespace xcloud
