// 1,000 malformed uploads from a fixed seed: each gets a clear 4xx, the server lives, its memory
// stays flat.

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <opencv2/imgcodecs.hpp>
#include <random>
#include <string>
#include <vector>

#include "tests/support/http_client.h"
#include "tests/support/server_process.h"

namespace xcloud {
namespace {

using Json = nlohmann::json;
using Random = std::mt19937_64;

constexpr int kUploads = 1000;
// Allocator and thread caches may still grow a little; one leaked photo a request would be more
// than ten times this.
constexpr long kGrowthKib = 24 * 1024;

std::string Encoded(const char* extension, int rows = 300, int columns = 400) {
  cv::Mat pixels(rows, columns, CV_8UC3);
  cv::RNG random(7);
  random.fill(pixels, cv::RNG::UNIFORM, 0, 256);
  std::vector<unsigned char> bytes;
  cv::imencode(extension, pixels, bytes);
  return {bytes.begin(), bytes.end()};
}

std::size_t Below(Random& random, std::size_t bound) {
  return random() % bound;
}

// A PNG whose header claims 65,535 x 65,535 pixels and a JPEG likewise.
std::string HugePng() {
  std::string png = Encoded(".png");
  for (std::size_t i = 16; i < 24; ++i) png[i] = static_cast<char>(i % 4 < 2 ? 0x00 : 0xFF);
  return png;
}
std::string HugeJpeg() {
  std::string jpeg = Encoded(".jpg");
  const std::size_t frame = jpeg.find("\xFF\xC0");
  for (std::size_t i = 5; i < 9; ++i) jpeg[frame + i] = static_cast<char>(0xFF);
  return jpeg;
}

struct Upload {
  std::string what;
  std::string content_type;
  std::string body;
};

std::string Garbage(Random& random) {
  std::string bytes(1 + Below(random, 5000), '\0');
  for (char& c : bytes) c = static_cast<char>(random());
  return bytes;
}

std::string Truncated(Random& random) {
  static const std::vector<std::string> photos = {Encoded(".jpg"), Encoded(".png"),
                                                  Encoded(".webp"), Encoded(".bmp")};
  const std::string& photo = photos[Below(random, photos.size())];
  return photo.substr(0, 1 + Below(random, photo.size() - 20));
}

// Multipart text that is deep, cut off, or without what we look for.
std::string BrokenMultipart(Random& random) {
  const std::string whole = MultipartBody("image", Encoded(".jpg", 30, 40));
  switch (Below(random, 4)) {
    case 0:
      return whole.substr(0, Below(random, whole.size() - 30));
    case 1:
      return MultipartBody("photo", Encoded(".jpg", 30, 40));
    case 2: {
      std::string deep;
      for (int i = 0; i < 2000; ++i) {
        deep += "--" + std::string(kTestBoundary) +
                "\r\nContent-Type: multipart/mixed; boundary=b" + std::to_string(i) + "\r\n\r\n";
      }
      return deep;
    }
    default:
      return MultipartBody("image", "");
  }
}

Upload MakeUpload(int number, Random& random) {
  const std::string form = "multipart/form-data; boundary=" + std::string(kTestBoundary);
  switch (number % 8) {
    case 0:
      return {"truncated photo, form", form, MultipartBody("image", Truncated(random))};
    case 1:
      return {"truncated photo, raw", "image/jpeg", Truncated(random)};
    case 2:
      return {"garbage", form, MultipartBody("image", Garbage(random))};
    case 3:
      return {"wrong type", "text/csv", "a,b\n1,2\n"};
    case 4:
      return {"huge dimensions", form,
              MultipartBody("image", Below(random, 2) == 0 ? HugePng() : HugeJpeg())};
    case 5:
      return {"empty", Below(random, 2) == 0 ? form : "image/png", ""};
    case 6:
      return {"broken multipart", form, BrokenMultipart(random)};
    default:
      return {"GIF", "image/gif", "GIF89a" + Garbage(random)};
  }
}

TEST(MalformedUploadTest, EachOfAThousandGetsAClear4xxAndMemoryStaysFlat) {
  ServerProcess server;
  ASSERT_TRUE(server.Start("bench/models")) << server.error();
  Random random(20261124);
  HttpClient client(server.port());
  long resident_before = 0;
  for (int i = 0; i < kUploads; ++i) {
    const Upload upload = MakeUpload(i, random);
    const HttpReply reply = client.Post("/cv/null", upload.content_type, upload.body);
    ASSERT_GE(reply.status, 400) << i << " " << upload.what << " " << reply.body;
    ASSERT_LT(reply.status, 500) << i << " " << upload.what << " " << reply.body;
    const Json answer = Json::parse(reply.body, nullptr, false);
    ASSERT_FALSE(answer.is_discarded()) << upload.what << " " << reply.body;
    ASSERT_GE(answer["msg"].get<std::string>().size(), 10U) << upload.what << " " << reply.body;
    ASSERT_NE(answer["code"], 0) << upload.what;
    if (i == kUploads / 4) resident_before = server.ResidentKib();
  }
#ifndef XCLOUD_SANITIZED  // the sanitizer keeps freed memory back
  EXPECT_LT(server.ResidentKib() - resident_before, kGrowthKib);
#endif
  RecordProperty("resident_growth_kib", static_cast<int>(server.ResidentKib() - resident_before));
  EXPECT_EQ(client.PostPhoto("/cv/null", Encoded(".jpg")).status, 200) << "still serving";
}

}  // namespace
}  // namespace xcloud
