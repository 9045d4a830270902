#include "models/stage_rows.h"

#include <algorithm>
#include <cstring>

#include "models/preprocess.h"

namespace xcloud {

std::vector<std::int64_t> BatchShape(const PreprocessSpec& spec, std::size_t items) {
  const auto n = static_cast<std::int64_t>(items);
  const std::int64_t height = spec.crop_height;
  const std::int64_t width = spec.crop_width;
  if (spec.layout == TensorLayout::kNchw) return {n, 3, height, width};
  return {n, height, width, 3};
}

std::vector<std::int64_t> BatchShape(const ModelDefinition& model, std::size_t items) {
  if (!model.tensor_input) return BatchShape(model.preprocess, items);
  std::vector<std::int64_t> shape = model.tensor_input->dims;
  shape.front() = static_cast<std::int64_t>(items);
  return shape;
}

void StageRows(const ModelDefinition& model, std::span<const NetworkItem> items,
               std::size_t run_items, float* rows) {
  XC_CHECK(!items.empty() && items.size() <= run_items);
  const std::size_t values = model.item_values();
  for (const NetworkItem& item : items) {
    if (item.tensor != nullptr) {
      std::memcpy(rows, item.tensor, values * sizeof(float));
    } else {
      XC_CHECK(item.pixels != nullptr);
      NormalizeInto(item.pixels, model.preprocess, rows);
    }
    rows += values;
  }
  std::fill_n(rows, (run_items - items.size()) * values, 0.0F);
}

std::vector<float> ProbeRows(const ModelDefinition& model, std::size_t items) {
  std::vector<float> rows(items * model.item_values());
  if (model.tensor_input) {
    // Within -1 .. 1.
    for (std::size_t i = 0; i < rows.size(); ++i) {
      rows[i] = static_cast<float>((i * i / 7 + i * 31) % 241) / 120.0F - 1.0F;
    }
    return rows;
  }
  std::vector<std::uint8_t> pixels(model.preprocess.PixelBytes());
  for (std::size_t item = 0; item < items; ++item) {
    // No pixel is black or white.
    for (std::size_t i = 0; i < pixels.size(); ++i) {
      pixels[i] = static_cast<std::uint8_t>(1 + (i * i / 7 + i * 31 + item * 101) % 240);
    }
    NormalizeInto(pixels.data(), model.preprocess, rows.data() + item * model.item_values());
  }
  return rows;
}

std::size_t ProbeItems(const ModelDefinition& model) {
  return std::min<std::size_t>(std::max<std::size_t>(model.batching.max_batch, 1), 2);
}

}  // namespace xcloud
