#include "bench/photos.h"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string_view>

#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

namespace xcloud {
namespace {

namespace fs = std::filesystem;

std::string ContentTypeOf(std::string_view bytes) {
  if (bytes.starts_with("\xFF\xD8\xFF")) return "image/jpeg";
  if (bytes.starts_with("\x89PNG")) return "image/png";
  if (bytes.starts_with("RIFF") && bytes.substr(0, 12).ends_with("WEBP")) return "image/webp";
  if (bytes.starts_with("BM")) return "image/bmp";
  return "application/octet-stream";
}

bool HasImageSuffix(const fs::path& path) {
  std::string suffix = path.extension().string();
  std::transform(suffix.begin(), suffix.end(), suffix.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return suffix == ".jpg" || suffix == ".jpeg" || suffix == ".png" || suffix == ".webp" ||
         suffix == ".bmp";
}

Result<std::vector<fs::path>> FilesOf(const std::string& path) {
  std::error_code error;
  if (!fs::exists(path, error)) return Status::NotFound("no such file or folder: " + path);
  if (!fs::is_directory(path, error)) return std::vector<fs::path>{path};
  std::vector<fs::path> out;
  for (fs::directory_iterator it(path, error), end; !error && it != end; it.increment(error)) {
    if (it->is_regular_file(error) && HasImageSuffix(it->path())) out.push_back(it->path());
  }
  if (out.empty()) return Status::InvalidArgument("no image files in " + path);
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace

Result<std::vector<Photo>> LoadPhotos(const std::vector<std::string>& paths) {
  std::vector<Photo> out;
  std::size_t total = 0;
  for (const std::string& path : paths) {
    auto files = FilesOf(path);
    if (!files.ok()) return files.status();
    for (const fs::path& file : *files) {
      std::ifstream in(file, std::ios::binary);
      if (!in) return Status::NotFound("cannot read " + file.string());
      Photo photo;
      photo.name = file.filename().string();
      photo.bytes.assign(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
      photo.content_type = ContentTypeOf(photo.bytes);
      total += photo.bytes.size();
      if (total > kMaxPhotoBytes) {
        return Status::TooLarge("the photos take more than 1 GiB together; name fewer");
      }
      out.push_back(std::move(photo));
    }
  }
  return out;
}

Photo MakePhoto(std::uint64_t seed) {
  constexpr int kWidth = 500;
  constexpr int kHeight = 375;
  cv::RNG rng(seed * 2 + 1);  // never 0, which cv::RNG replaces
  // A handful of random colours, blown up: smooth shades as of sky and walls.
  cv::Mat coarse(6, 8, CV_8UC3);
  rng.fill(coarse, cv::RNG::UNIFORM, 0, 256);
  cv::Mat image;
  cv::resize(coarse, image, cv::Size(kWidth, kHeight), 0, 0, cv::INTER_CUBIC);
  for (int i = 0; i < 24; ++i) {  // shapes with edges
    const cv::Point centre(rng.uniform(0, kWidth), rng.uniform(0, kHeight));
    const cv::Size axes(rng.uniform(5, 90), rng.uniform(5, 70));
    const cv::Scalar color(rng.uniform(0, 256), rng.uniform(0, 256), rng.uniform(0, 256));
    cv::ellipse(image, centre, axes, rng.uniform(0, 360), 0, 360, color, cv::FILLED, cv::LINE_AA);
  }
  cv::Mat grain(kHeight, kWidth, CV_16SC3);
  rng.fill(grain, cv::RNG::NORMAL, 0, 9);
  cv::add(image, grain, image, cv::noArray(), CV_8U);
  std::vector<unsigned char> jpeg;
  const bool written = cv::imencode(".jpg", image, jpeg, {cv::IMWRITE_JPEG_QUALITY, 90});
  XC_CHECK(written);
  return {"made-500x375.jpg", "image/jpeg", std::string(jpeg.begin(), jpeg.end())};
}

}  // namespace xcloud
