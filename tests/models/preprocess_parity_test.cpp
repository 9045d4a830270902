// Decode, resize, crop and normalise against Pillow and torchvision themselves, on pictures that
// tests/support/torchvision_reference.py draws and on the project's photos where they are.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "models/decode.h"
#include "models/preprocess.h"

namespace xcloud {
namespace {

namespace fs = std::filesystem;

// libjpeg-turbo and libwebp give the same pixels in Debian's and in Pillow's version.
constexpr int kMaxPixelDifference = 0;
constexpr float kMaxFloatDifference = 0.0F;
// Between Pillow 12 and older (ours) and Pillow 13, for the shapes whose passes it swaps.
constexpr int kMaxSwapDifference = 1;

struct Case {
  std::string kind, image, mode;
  PreprocessSpec spec;
  int width = 0, height = 0, swap = 0;
  std::string decoded, crop, tensor;
};

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<Case> ReadCases(const fs::path& path) {
  std::ifstream file(path);
  std::vector<Case> cases;
  std::string line;
  while (std::getline(file, line)) {
    std::istringstream in(line);
    Case c;
    in >> c.kind >> c.image >> c.mode >> c.spec.resize_width >> c.spec.resize_height >>
        c.spec.crop_width >> c.spec.crop_height >> c.width >> c.height >> c.decoded >> c.crop >>
        c.swap >> c.tensor;
    c.spec.mode = c.mode == "short" ? ResizeMode::kShortSide : ResizeMode::kSquash;
    cases.push_back(c);
  }
  return cases;
}

// Largest difference of two runs of bytes; 256 when their lengths differ.
int MaxDifference(const std::uint8_t* ours, std::size_t size, const std::string& theirs) {
  if (size != theirs.size()) return 256;
  int largest = 0;
  for (std::size_t i = 0; i < size; ++i) {
    largest = std::max(largest, std::abs(ours[i] - static_cast<std::uint8_t>(theirs[i])));
  }
  return largest;
}

float MaxFloatDifference(const std::vector<float>& ours, const std::string& theirs) {
  if (ours.size() * sizeof(float) != theirs.size()) return INFINITY;
  std::vector<float> reference(ours.size());
  std::memcpy(reference.data(), theirs.data(), theirs.size());
  float largest = 0;
  for (std::size_t i = 0; i < ours.size(); ++i) {
    largest = std::max(largest, std::abs(ours[i] - reference[i]));
  }
  return largest;
}

Image FromRaw(const Case& c) {
  const std::string raw = ReadFile(c.decoded);
  return {c.width, c.height, {raw.begin(), raw.end()}};
}

// Empty when it worked, else the command that did not.
std::string MakeReference(const fs::path& out, const fs::path& photos) {
  std::string command = "'" XCLOUD_VENV "/bin/python' '" XCLOUD_SOURCE_DIR
                        "/tests/support/torchvision_reference.py' '" +
                        out.string() + "'";
  if (fs::exists(photos)) command += " '" + photos.string() + "'";
  return std::system(command.c_str()) == 0 ? "" : command;
}

struct Worst {
  int decoded = 0, crop = 0, end_to_end = 0, swap = 0;
  float tensor = 0;
  int cases = 0, swapped = 0;
};

// Decodes, resizes and normalises one case both ways and keeps the largest differences.
void Check(const Case& c, Worst& w) {
  const std::string bytes = ReadFile(c.image);
  const Result<Image> image = DecodeImage(bytes, DecodeLimits{});
  ASSERT_TRUE(image.ok()) << c.image << ": " << image.status().ToString();
  ++w.cases;
  ASSERT_EQ(image->width, c.width) << c.image;
  ASSERT_EQ(image->height, c.height) << c.image;
  const int decoded = MaxDifference(image->rgb.data(), image->rgb.size(), ReadFile(c.decoded));
  EXPECT_LE(decoded, kMaxPixelDifference) << c.image;

  // From Pillow's own pixels, so that a decoder's difference does not hide in the resize.
  std::vector<std::uint8_t> crop(c.spec.PixelBytes());
  ResizeAndCrop(FromRaw(c), c.spec, crop.data());
  const int cropped = MaxDifference(crop.data(), crop.size(), ReadFile(c.crop));
  EXPECT_EQ(cropped, 0) << c.image << " " << c.mode << " " << c.spec.resize_width;

  ResizeAndCrop(*image, c.spec, crop.data());
  const int end_to_end = MaxDifference(crop.data(), crop.size(), ReadFile(c.crop));
  EXPECT_LE(end_to_end, kMaxPixelDifference) << c.image;
  w.decoded = std::max(w.decoded, decoded);
  w.crop = std::max(w.crop, cropped);
  w.end_to_end = std::max(w.end_to_end, end_to_end);
  // A Pillow that resizes columns first for this shape rounds some pixels the other way.
  EXPECT_LE(c.swap, kMaxSwapDifference) << c.image;
  w.swap = std::max(w.swap, c.swap);
  w.swapped += c.swap > 0 ? 1 : 0;
  if (c.tensor == "-") return;
  std::vector<float> tensor(c.spec.PixelBytes());
  NormalizeInto(crop.data(), c.spec, tensor.data());
  const float floats = MaxFloatDifference(tensor, ReadFile(c.tensor));
  EXPECT_LE(floats, kMaxFloatDifference) << c.image;
  w.tensor = std::max(w.tensor, floats);
}

TEST(PreprocessParityTest, PixelsAndFloatsEqualPillowAndTorchvision) {
  if (!fs::exists(XCLOUD_VENV "/bin/python")) GTEST_SKIP() << "no Python at " XCLOUD_VENV;
  const fs::path photos = XCLOUD_SOURCE_DIR "/../shared/data/imagenet";
  const fs::path out = fs::path(testing::TempDir()) / ("xcloud_parity_" + std::to_string(getpid()));
  ASSERT_EQ(MakeReference(out, photos), "");
  const std::vector<Case> cases = ReadCases(out / "cases.tsv");
  ASSERT_GT(cases.size(), 200U);
  std::map<std::string, Worst> worst;
  for (const Case& c : cases) Check(c, worst[c.kind]);
  for (const auto& [kind, w] : worst) {
    std::printf(
        "%-6s %4d cases; max abs difference: decoded %d, crop %d, end to end %d, "
        "floats %g; %d with swapped passes, by %d\n",
        kind.c_str(), w.cases, w.decoded, w.crop, w.end_to_end, w.tensor, w.swapped, w.swap);
  }
  if (worst["photo"].cases == 0) std::printf("no photos at %s\n", photos.c_str());
  fs::remove_all(out);
}

}  // namespace
}  // namespace xcloud
