#include "models/brisque_backend.h"

#include <array>
#include <cmath>
#include <cstring>
#include <string>
#include <utility>

#include <opencv2/imgproc.hpp>
#include <opencv2/quality/qualitybrisque.hpp>

#include "core/log.h"

namespace xcloud {
namespace {

constexpr std::size_t kSlots = 2;  // Device::depth() at the most

class BrisqueNetwork final : public Network {
 public:
  BrisqueNetwork(cv::Ptr<cv::quality::QualityBRISQUE> brisque, const ModelDefinition& model)
      : brisque_(std::move(brisque)), spec_(model.preprocess), name_(model.name) {}

  std::size_t output_size() const override { return 1; }

  // Grey already here: a third of the bytes to keep. The photo's own colours, whatever [preprocess]
  // says of mean and std: those are for networks.
  Status Stage(std::size_t slot, std::span<const NetworkItem> items,
               std::size_t run_items) override {
    XC_CHECK(slot < kSlots && !items.empty() && items.size() <= run_items);
    std::vector<cv::Mat>& photos = slots_[slot];
    photos.clear();
    for (const NetworkItem& item : items) {
      XC_CHECK(item.pixels != nullptr);  // input_check lets no tensor through, on_host() no image
      const cv::Mat rgb(spec_.crop_height, spec_.crop_width, CV_8UC3,
                        const_cast<std::uint8_t*>(item.pixels));  // only read
      photos.emplace_back();
      cv::cvtColor(rgb, photos.back(), cv::COLOR_RGB2GRAY);
    }
    return Status::Ok();
  }

  Status Collect(std::size_t slot, float* scores) override {
    try {
      for (const cv::Mat& photo : slots_[slot]) *scores++ = Score(photo);
    } catch (const cv::Exception& error) {
      spdlog::error("model '{}': {}", name_, error.what());
      return Status::Internal("model '" + name_ + "' failed on this batch");
    }
    return Status::Ok();
  }

 private:
  // A photo of one colour has no texture to judge: OpenCV divides by its variance of zero. That is
  // the worst that a photo can be.
  float Score(const cv::Mat& photo) {
    constexpr float kWorst = 100;
    const auto score = static_cast<float>(brisque_->compute(photo)[0]);
    return std::isfinite(score) ? score : kWorst;
  }

  const cv::Ptr<cv::quality::QualityBRISQUE> brisque_;  // keeps state: a lane's own
  const PreprocessSpec spec_;
  const std::string name_;
  std::array<std::vector<cv::Mat>, kSlots> slots_;
};

std::string RangeName(std::string model) {
  const std::size_t at = model.find("model");
  if (at != std::string::npos) model.replace(at, std::strlen("model"), "range");
  return model;
}

}  // namespace

Result<std::vector<std::unique_ptr<Network>>> MakeBrisqueNetworks(const ModelDefinition& model,
                                                                  const std::filesystem::path& file,
                                                                  std::size_t lanes) {
  if (!model.of_pictures() || !model.values_output || model.score_count() != 1) {
    return Status::InvalidArgument("model '" + model.name +
                                   "': BRISQUE takes photos and gives one " +
                                   "value: [output] kind = \"values\", dims = [1]");
  }
  const std::filesystem::path range = file.parent_path() / RangeName(file.filename().string());
  const std::string version = file.parent_path().filename().string();
  for (const std::filesystem::path& one : {file, range}) {
    std::error_code ignored;
    if (std::filesystem::is_regular_file(one, ignored)) continue;
    return Status::InvalidArgument(model.name + "/" + version + "/" + one.filename().string() +
                                   ": no such file");
  }
  std::vector<std::unique_ptr<Network>> networks;
  try {
    for (std::size_t i = 0; i < lanes; ++i) {
      networks.push_back(std::make_unique<BrisqueNetwork>(
          cv::quality::QualityBRISQUE::create(file.string(), range.string()), model));
    }
  } catch (const cv::Exception& error) {
    spdlog::error("{}: {}", file.string(), error.what());
    return Status::InvalidArgument(model.name + "/" + version + "/" + file.filename().string() +
                                   ": not a BRISQUE model; the server's log says more");
  }
  return networks;
}

}  // namespace xcloud
