#include "bench/photos.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <opencv2/imgcodecs.hpp>

#include "bench/prepared_request.h"

namespace xcloud {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class PhotosTest : public ::testing::Test {
 protected:
  PhotosTest() {
    std::string name = (fs::temp_directory_path() / "xcloud-photos-XXXXXX").string();
    folder_ = mkdtemp(name.data());
  }
  ~PhotosTest() override { fs::remove_all(folder_); }
  std::string Write(const std::string& name, const std::string& bytes) {
    std::ofstream(folder_ / name, std::ios::binary) << bytes;
    return (folder_ / name).string();
  }
  fs::path folder_;
};

TEST_F(PhotosTest, AFolderGivesItsImagesByName) {
  Write("b.JPG", "\xFF\xD8\xFF\xE0 two");
  Write("a.png", "\x89PNG one");
  Write("labels.txt", "no image");
  const auto photos = LoadPhotos({folder_.string()});
  ASSERT_TRUE(photos.ok()) << photos.status().message();
  ASSERT_EQ(photos->size(), 2U);
  EXPECT_EQ((*photos)[0].name, "a.png");
  EXPECT_EQ((*photos)[0].content_type, "image/png");
  EXPECT_EQ((*photos)[1].content_type, "image/jpeg");
  EXPECT_EQ((*photos)[1].bytes, "\xFF\xD8\xFF\xE0 two");
}

TEST_F(PhotosTest, ANamedFileMayHoldAnything) {
  const auto photos =
      LoadPhotos({Write("x.txt", "text"), Write("w", "RIFF....WEBPVP8 "), Write("e.jpg", "")});
  ASSERT_TRUE(photos.ok());
  EXPECT_EQ((*photos)[0].content_type, "application/octet-stream");
  EXPECT_EQ((*photos)[1].content_type, "image/webp");
  EXPECT_EQ((*photos)[2].bytes, "");
}

TEST_F(PhotosTest, NamesWhatIsMissing) {
  EXPECT_EQ(LoadPhotos({"/no/such/photo.jpg"}).status().code(), StatusCode::kNotFound);
  const auto empty = LoadPhotos({folder_.string()});
  EXPECT_EQ(empty.status().code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(empty.status().message(), HasSubstr(folder_.string()));
}

TEST_F(PhotosTest, TheMadePhotoIsARealJpegOfTheUsualSize) {
  const Photo photo = MakePhoto(1);
  const std::vector<unsigned char> bytes(photo.bytes.begin(), photo.bytes.end());
  const cv::Mat image = cv::imdecode(bytes, cv::IMREAD_COLOR);
  EXPECT_EQ(image.cols, 500);
  EXPECT_EQ(image.rows, 375);
  EXPECT_GT(photo.bytes.size(), 40'000U);
  EXPECT_LT(photo.bytes.size(), 160'000U);
  EXPECT_EQ(MakePhoto(1).bytes, photo.bytes);
  EXPECT_NE(MakePhoto(2).bytes, photo.bytes);
}

TEST_F(PhotosTest, AMultipartRequestHoldsThePhotoInAFormPart) {
  BenchOptions options;
  options.body = "multipart";
  const TargetUrl target = *ParseTargetUrl("http://127.0.0.1:8080/cv/x");
  const PreparedRequest request =
      PrepareRequest(target, options, {"a\"b.jpg", "image/jpeg", "JPEGBYTES"});
  const std::size_t head_end = request.head.find("\r\n\r\n") + 4;
  const std::string body = request.head.substr(head_end) + *request.photo + request.tail;
  EXPECT_THAT(request.head, HasSubstr("Content-Length: " + std::to_string(body.size()) + "\r\n"));
  const std::string key = "boundary=";
  const std::size_t at = request.head.find(key) + key.size();
  const std::string boundary = request.head.substr(at, request.head.find("\r\n", at) - at);
  EXPECT_EQ(body, "--" + boundary +
                      "\r\nContent-Disposition: form-data; name=\"image\"; filename=\"a_b.jpg\"\r\n"
                      "Content-Type: image/jpeg\r\n\r\nJPEGBYTES\r\n--" +
                      boundary + "--\r\n");
}

}  // namespace
}  // namespace xcloud
