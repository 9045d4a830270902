#include "models/tensor_sections.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "core/option_table.h"
#include "models/labels.h"

namespace xcloud {
namespace {

constexpr double kMaxDim = 1'000'000;
constexpr std::size_t kMaxDims = 7;      // behind the batch
constexpr double kMaxValues = 64 << 20;  // of one item: 256 MiB of FP32

struct InputKeys {
  std::string name = "features";
  std::vector<double> dims;
};

struct OutputKeys {
  std::string kind = "labels";
  std::string name = "values";
  std::vector<double> dims;
};

void VisitInput(OptionVisitor& v, InputKeys& c) {
  v.Text({"name", "of the one input of a model that takes no photos but FP32 values", ""}, c.name,
         {});
  v.Numbers({"dims", "its shape without the batch, which comes first", ""}, c.dims, 0, 1, kMaxDim);
}

void VisitOutput(OptionVisitor& v, OutputKeys& c) {
  v.Text({"kind", "labels: one score for each line of labels.txt; values: FP32 values as they are",
          ""},
         c.kind, {"labels", "values"});
  v.Text({"name", "of the output, of values", ""}, c.name, {});
  v.Numbers({"dims", "its shape without the batch, of values", ""}, c.dims, 0, 1, kMaxDim);
}

template <class Keys>
void CheckTensor(TomlReader& reader, const Keys& c) {
  if (c.name.empty()) reader.Fail("name", "must not be empty");
  if (!IsPlainUtf8(c.name)) reader.Fail("name", "must be UTF-8 without control characters");
  if (c.dims.empty()) reader.Fail("dims", "must be given");
  if (c.dims.size() > kMaxDims) reader.Fail("dims", "must be 7 at the most");
  double product = 1;
  for (const double dim : c.dims) {
    if (std::floor(dim) != dim) reader.Fail("dims", "must be whole numbers");
    product *= dim;
  }
  if (product > kMaxValues) reader.Fail("dims", "must not multiply to more than 67108864");
}

TensorSpec ToSpec(const std::string& name, const std::vector<double>& dims) {
  TensorSpec spec{name, DataType::kFp32, {-1}};
  for (const double dim : dims) spec.dims.push_back(static_cast<std::int64_t>(dim));
  return spec;
}

}  // namespace

void ReadTensorSections(TomlReader& root, const std::string& file, ModelDefinition& model,
                        std::vector<std::string>& errors) {
  // The echo backend's are [[input]]: a list.
  if (!model.echoes()) {
    if (const toml::table* table = root.Section("input")) {
      InputKeys keys;
      TomlReader reader(*table, file, "input", errors);
      VisitInput(reader, keys);
      CheckTensor(reader, keys);
      reader.Finish();
      model.tensor_input = ToSpec(keys.name, keys.dims);
    }
  }
  const toml::table* table = root.Section("output");
  if (table == nullptr) return;
  OutputKeys keys;
  TomlReader reader(*table, file, "output", errors);
  VisitOutput(reader, keys);
  if (keys.kind == "values") {
    CheckTensor(reader, keys);
    model.values_output = ToSpec(keys.name, keys.dims);
  } else {
    for (const char* key : {"name", "dims"}) {
      if (reader.Has(key)) reader.Fail(key, "only with kind = \"values\"");
    }
  }
  reader.Finish();
}

void AppendTensorSectionTables(std::string& out) {
  AppendOptionTable(out, "[input]", VisitInput);
  AppendOptionTable(out, "[output]", VisitOutput);
}

}  // namespace xcloud
