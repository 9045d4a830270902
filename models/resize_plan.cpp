#include "models/resize_plan.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/status.h"
#include "models/preprocess.h"
#include "models/preprocess_geometry.h"

namespace xcloud {
namespace {

static_assert(kRaggedWeightBits == kWeightBits);

RaggedAxis Append(const ResampleTable& table, const CropSpan& span,
                  std::vector<std::int32_t>& tables) {
  RaggedAxis axis;
  axis.tables = tables.size();
  axis.pad = span.pad;
  axis.count = span.count;
  axis.stride = table.stride;
  tables.insert(tables.end(), table.start.begin(), table.start.end());
  tables.insert(tables.end(), table.taps.begin(), table.taps.end());
  tables.insert(tables.end(), table.weights.begin(), table.weights.end());
  return axis;
}

// Before the tables are made: of a needle-shaped photo they could be very large.
bool StrideFits(int source, std::int64_t resized) {
  if (resized < 1) return false;
  const double support = std::ceil(static_cast<double>(source) / static_cast<double>(resized));
  return support * 2 + 1 <= kMaxResizableStride;
}

}  // namespace

std::unique_ptr<const ResizableImage> MakeResizable(Image& image, const PreprocessSpec& spec) {
  if (image.rgb.size() > kMaxResizableBytes) return nullptr;
  const ResizedSize size = PlanResize(image.width, image.height, spec);
  if (!StrideFits(image.width, size.width) || !StrideFits(image.height, size.height)) {
    return nullptr;
  }
  auto resizable = std::make_unique<ResizableImage>();
  const CropSpan across = PlanCrop(size.width, spec.crop_width);
  const CropSpan down = PlanCrop(size.height, spec.crop_height);
  resizable->item.width = image.width;
  resizable->item.across =
      Append(MakeResampleTable(image.width, size.width, across), across, resizable->tables);
  resizable->item.down =
      Append(MakeResampleTable(image.height, size.height, down), down, resizable->tables);
  XC_CHECK(resizable->tables.size() <= MaxTableInts(spec));
  resizable->image = std::move(image);
  return resizable;
}

NormalizeParams NormalizeParamsOf(const PreprocessSpec& spec) {
  NormalizeParams params;
  params.divisor = ScaleDivisor(spec.scale);
  std::copy(spec.mean.begin(), spec.mean.end(), params.mean);
  std::copy(spec.std.begin(), spec.std.end(), params.std);
  params.bgr = spec.color == ColorOrder::kBgr ? 1 : 0;
  return params;
}

ResizableImage IdentityPlan(const PreprocessSpec& spec) {
  ResizableImage plan;
  const auto whole = [](int side) { return CropSpan{0, side, 0}; };
  plan.item.width = spec.crop_width;
  plan.item.across =
      Append(MakeResampleTable(spec.crop_width, spec.crop_width, whole(spec.crop_width)),
             whole(spec.crop_width), plan.tables);
  plan.item.down =
      Append(MakeResampleTable(spec.crop_height, spec.crop_height, whole(spec.crop_height)),
             whole(spec.crop_height), plan.tables);
  return plan;
}

}  // namespace xcloud
