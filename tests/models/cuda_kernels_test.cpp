// The kernels on a GPU against the CPU; says so where there is none. Tolerances: fp32 values are
// equal bit for bit; fp16 values are those, rounded to the nearest (half a unit in the last place).
#include "models/cuda_kernels.h"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include <c10/util/Half.h>

#include "models/cuda_device.h"
#include "models/preprocess.h"
#include "models/resize_plan.h"

namespace xcloud {
namespace {

// Device memory that holds a copy of a vector.
template <class T>
class OnDevice {
 public:
  explicit OnDevice(const std::vector<T>& values) : count_(values.size()) {
    EXPECT_EQ(cudaMalloc(&memory_, count_ * sizeof(T)), cudaSuccess);
    EXPECT_EQ(cudaMemcpy(memory_, values.data(), count_ * sizeof(T), cudaMemcpyHostToDevice),
              cudaSuccess);
  }
  ~OnDevice() { (void)cudaFree(memory_); }
  OnDevice(const OnDevice&) = delete;
  OnDevice& operator=(const OnDevice&) = delete;

  T* get() const { return static_cast<T*>(memory_); }
  std::vector<T> Read() const {
    std::vector<T> values(count_);
    EXPECT_EQ(cudaMemcpy(values.data(), memory_, count_ * sizeof(T), cudaMemcpyDeviceToHost),
              cudaSuccess);
    return values;
  }

 private:
  const std::size_t count_;
  void* memory_ = nullptr;
};

class CudaKernelsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!CountCudaDevices().ok()) GTEST_SKIP() << "no CUDA device";
    spec_.resize_width = 48;
    spec_.crop_width = 40;
    spec_.crop_height = 44;
    spec_.layout = TensorLayout::kNhwc;
  }

  // Adds a photo to the batch and its values, made by the CPU, to what is expected.
  void Add(int width, int height) {
    Image image{width, height, {}};
    for (int i = 0; i < width * height * 3; ++i) {
      image.rgb.push_back(static_cast<std::uint8_t>((i * 37) ^ (i / 5)));
    }
    std::vector<std::uint8_t> pixels(spec_.PixelBytes());
    ResizeAndCrop(image, spec_, pixels.data());
    expected_.resize(expected_.size() + spec_.PixelBytes());
    NormalizeInto(pixels.data(), spec_, expected_.data() + expected_.size() - spec_.PixelBytes());
    const auto plan = MakeResizable(image, spec_);
    ASSERT_NE(plan, nullptr);
    RaggedItem item = plan->item;
    item.pixels = packed_.size();
    item.across.tables += tables_.size();
    item.down.tables += tables_.size();
    items_.push_back(item);
    packed_.insert(packed_.end(), plan->image.rgb.begin(), plan->image.rgb.end());
    tables_.insert(tables_.end(), plan->tables.begin(), plan->tables.end());
  }

  template <class T>
  std::vector<T> Resize(CudaPrecision precision) {
    const OnDevice<RaggedItem> items(items_);
    const OnDevice<std::uint8_t> packed(packed_);
    const OnDevice<std::int32_t> tables(tables_);
    const OnDevice<T> values(std::vector<T>(expected_.size()));
    RaggedBatch batch;
    batch.items = items.get();
    batch.packed = packed.get();
    batch.tables = tables.get();
    batch.count = items_.size();
    batch.crop_width = spec_.crop_width;
    batch.crop_height = spec_.crop_height;
    EXPECT_EQ(
        LaunchResizeNormalize(batch, NormalizeParamsOf(spec_), precision, values.get(), nullptr),
        cudaSuccess);
    EXPECT_EQ(cudaDeviceSynchronize(), cudaSuccess);
    return values.Read();
  }

  PreprocessSpec spec_;
  std::vector<RaggedItem> items_;
  std::vector<std::uint8_t> packed_;
  std::vector<std::int32_t> tables_;
  std::vector<float> expected_;
};

TEST_F(CudaKernelsTest, ARaggedBatchIsResizedAndNormalisedAsOnTheCpu) {
  for (const ColorOrder color : {ColorOrder::kRgb, ColorOrder::kBgr}) {
    spec_.color = color;
    items_.clear();
    packed_.clear();
    tables_.clear();
    expected_.clear();
    for (const auto& [width, height] : {std::pair{500, 375}, {31, 200}, {64, 64}, {5, 3}}) {
      Add(width, height);
    }
    const std::vector<float> values = Resize<float>(CudaPrecision::kFloat);
    ASSERT_EQ(std::memcmp(values.data(), expected_.data(), values.size() * sizeof(float)), 0);
    const std::vector<c10::Half> halves = Resize<c10::Half>(CudaPrecision::kHalf);
    for (std::size_t i = 0; i < halves.size(); ++i) {
      ASSERT_EQ(halves[i].x, c10::Half(expected_[i]).x) << "value " << i;
    }
  }
}

TEST_F(CudaKernelsTest, ResizedPixelsAreNormalisedAsOnTheCpu) {
  std::vector<std::uint8_t> pixels(spec_.PixelBytes());
  for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<std::uint8_t>(i * 89);
  std::vector<float> expected(pixels.size());
  NormalizeInto(pixels.data(), spec_, expected.data());
  const OnDevice<std::uint8_t> source(pixels);
  const OnDevice<float> values(std::vector<float>(pixels.size()));
  ASSERT_EQ(LaunchNormalize(source.get(), pixels.size(), NormalizeParamsOf(spec_),
                            CudaPrecision::kFloat, values.get(), nullptr),
            cudaSuccess);
  ASSERT_EQ(cudaDeviceSynchronize(), cudaSuccess);
  EXPECT_EQ(std::memcmp(values.Read().data(), expected.data(), expected.size() * sizeof(float)), 0);
}

}  // namespace
}  // namespace xcloud
