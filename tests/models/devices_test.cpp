#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "models/network.h"
#ifdef XCLOUD_HAS_CUDA
#include "models/cuda_device.h"
#endif

namespace xcloud {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

bool MachineHasGpu() {
#ifdef XCLOUD_HAS_CUDA
  return CountCudaDevices().ok();
#else
  return false;
#endif
}

DeviceConfig Cpu(std::string name, std::int64_t lanes) {
  DeviceConfig config;
  config.name = std::move(name);
  config.lanes = lanes;
  return config;
}

std::string WhyRefused(const std::vector<DeviceConfig>& configs) {
  auto devices = OpenDevices(configs);
  EXPECT_FALSE(devices.ok());
  EXPECT_EQ(devices.status().code(), StatusCode::kInvalidArgument);
  return devices.status().message();
}

TEST(OpenDevicesTest, NamesDevicesByKindAndPosition) {
  auto devices = OpenDevices({Cpu("", 1), Cpu("big", 3), Cpu("", 2)});
  ASSERT_TRUE(devices.ok()) << devices.status().ToString();
  ASSERT_EQ(devices->size(), 3U);
  EXPECT_EQ((*devices)[0]->name(), "cpu0");
  EXPECT_EQ((*devices)[1]->name(), "big");
  EXPECT_EQ((*devices)[1]->lane_count(), 3U);
  EXPECT_EQ((*devices)[2]->name(), "cpu2");
}

TEST(OpenDevicesTest, WithoutAnyTheBestOneOfTheMachineIsUsed) {
  auto devices = OpenDevices({});
  ASSERT_TRUE(devices.ok()) << devices.status().ToString();
  ASSERT_EQ(devices->size(), 1U);
  EXPECT_EQ((*devices)[0]->name(), MachineHasGpu() ? "cuda0" : "cpu0");
  const std::size_t cores = std::max(1U, std::thread::hardware_concurrency());
  EXPECT_EQ((*devices)[0]->lane_count(), MachineHasGpu() ? 1U : std::min<std::size_t>(cores, 4));
}

TEST(OpenDevicesTest, RefusesTwoDevicesOfOneName) {
  EXPECT_THAT(WhyRefused({Cpu("cpu1", 1), Cpu("", 1)}), HasSubstr("'cpu1'"));
}

TEST(OpenDevicesTest, RefusesUnknownKindsAndNoLanes) {
  DeviceConfig tpu;
  tpu.kind = "tpu";
  EXPECT_THAT(WhyRefused({tpu}), HasSubstr("'tpu'"));
  EXPECT_THAT(WhyRefused({Cpu("a", 0)}), AllOf(HasSubstr("'a'"), HasSubstr("lane")));
}

TEST(OpenDevicesTest, ACudaDeviceThatCannotBeHadIsNamedWithTheReason) {
  if (MachineHasGpu()) GTEST_SKIP() << "this machine has a CUDA device";
  DeviceConfig gpu;
  gpu.kind = "cuda";
  gpu.name = "gpu-a";
  gpu.index = 1;
#ifdef XCLOUD_HAS_CUDA
  const char* reason = "no CUDA device";
#else
  const char* reason = "built without CUDA";
#endif
  EXPECT_THAT(WhyRefused({Cpu("", 1), gpu}),
              AllOf(HasSubstr("'gpu-a'"), HasSubstr("index 1"), HasSubstr(reason)));
}

TEST(OpenDevicesTest, RefusesDevicesThatDisagreeOnWhoResizes) {
  DeviceConfig gpu;
  gpu.kind = "cuda";
  gpu.resize = "gpu";
  EXPECT_THAT(WhyRefused({Cpu("", 1), gpu}), AllOf(HasSubstr("resize"), HasSubstr("the same")));
}

TEST(OpenDevicesTest, RefusesToResizeOnACpuDevice) {
  DeviceConfig cpu = Cpu("a", 1);
  cpu.resize = "gpu";
  EXPECT_THAT(WhyRefused({cpu}), AllOf(HasSubstr("'a'"), HasSubstr("resize")));
}

TEST(OpenDevicesTest, CpuLanesHoldOneBatchAndHangAfterTheConfiguredTime) {
  DeviceConfig cpu = Cpu("a", 1);
  cpu.staged_batches = 2;  // for CUDA lanes only
  cpu.hang_timeout_ms = 1500;
  auto devices = OpenDevices({cpu, Cpu("b", 1)});
  ASSERT_TRUE(devices.ok());
  EXPECT_EQ((*devices)[0]->depth(), 1U);
  EXPECT_EQ((*devices)[0]->hang_after(), std::chrono::milliseconds(1500));
  EXPECT_EQ((*devices)[1]->hang_after(), std::chrono::seconds(10));
  EXPECT_FALSE((*devices)[0]->wants_decoded_images());
}

TEST(CpuDeviceTest, RunsTheNullBackendOnEveryLane) {
  auto devices = OpenDevices({Cpu("", 2)});
  ASSERT_TRUE(devices.ok());
  ModelDefinition model;
  model.backend = "null";
  model.labels = {"a", "b"};
  auto networks = (*devices)[0]->MakeNetworks(model, "unused");
  ASSERT_TRUE(networks.ok()) << networks.status().ToString();
  ASSERT_EQ(networks->size(), 2U);
  EXPECT_EQ((*networks)[1]->output_size(), 2U);
}

TEST(CpuDeviceTest, RefusesABackendThatItDoesNotKnow) {
  auto devices = OpenDevices({Cpu("", 1)});
  ASSERT_TRUE(devices.ok());
  ModelDefinition model;
  model.name = "m";
  model.backend = "abacus";
  auto networks = (*devices)[0]->MakeNetworks(model, "unused");
  EXPECT_EQ(networks.status().code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(networks.status().message(),
              AllOf(HasSubstr("'m'"), HasSubstr("'abacus'"), HasSubstr("cpu0")));
}

#ifndef XCLOUD_HAS_TORCH
TEST(CpuDeviceTest, WithoutLibTorchATorchScriptFileIsRefusedByName) {
  auto devices = OpenDevices({Cpu("", 1)});
  ASSERT_TRUE(devices.ok());
  ModelDefinition model;
  model.backend = "torchscript";
  auto networks = (*devices)[0]->MakeNetworks(model, "some/model.pt");
  EXPECT_EQ(networks.status().code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(networks.status().message(), HasSubstr("some/model.pt"));
}
#endif

}  // namespace
}  // namespace xcloud
