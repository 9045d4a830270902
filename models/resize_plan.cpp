#include "models/resize_plan.h"

#include <algorithm>
#include <cmath>
#include <cstring>
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

std::size_t RaggedBytes(const PreprocessSpec& spec, std::size_t items) {
  return items *
         (sizeof(RaggedItem) + MaxTableInts(spec) * sizeof(std::int32_t) + MaxImageBytes(spec));
}

RaggedLayout PackRagged(std::span<const NetworkItem> items, const PreprocessSpec& spec,
                        const ResizableImage& identity, std::uint8_t* base) {
  const auto plan_of = [&](const NetworkItem& item) -> const ResizableImage& {
    return item.image != nullptr ? *item.image : identity;
  };
  std::size_t ints = 0;
  for (const NetworkItem& item : items) ints += plan_of(item).tables.size();
  RaggedLayout layout;
  layout.tables_at = items.size() * sizeof(RaggedItem);
  layout.photos_at = layout.tables_at + ints * sizeof(std::int32_t);
  std::size_t table = 0;
  std::size_t photo = 0;
  for (std::size_t i = 0; i < items.size(); ++i) {
    const ResizableImage& plan = plan_of(items[i]);
    const bool whole = items[i].image != nullptr;
    const std::uint8_t* rgb = whole ? plan.image.rgb.data() : items[i].pixels;
    const std::size_t size = whole ? plan.image.rgb.size() : spec.PixelBytes();
    // A tensor's row is normalised from what lies there and then written over.
    const bool tensor = items[i].tensor != nullptr;
    XC_CHECK((rgb != nullptr) != tensor && size <= MaxImageBytes(spec));
    XC_CHECK(plan.tables.size() <= MaxTableInts(spec));
    RaggedItem item = plan.item;
    item.pixels = photo;
    item.across.tables += table;
    item.down.tables += table;
    std::memcpy(base + i * sizeof item, &item, sizeof item);
    std::memcpy(base + layout.tables_at + table * sizeof(std::int32_t), plan.tables.data(),
                plan.tables.size() * sizeof(std::int32_t));
    if (!tensor) std::memcpy(base + layout.photos_at + photo, rgb, size);
    table += plan.tables.size();
    photo += size;
  }
  layout.used = layout.photos_at + photo;
  return layout;
}

}  // namespace xcloud
