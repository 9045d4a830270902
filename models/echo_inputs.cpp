#include "models/echo_inputs.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string_view>

#include "core/option_table.h"
#include "models/labels.h"

namespace xcloud {
namespace {

constexpr double kMaxDim = 1'000'000'000;
constexpr std::size_t kMaxDims = 8;
constexpr std::size_t kMaxInputs = 64;

struct InputKeys {
  std::string name;
  std::string datatype = "FP32";
  std::vector<double> dims = {-1};
  std::string output;
};

void VisitInput(OptionVisitor& v, InputKeys& c) {
  v.Text({"name", "of the input; backend echo only, which needs one [[input]] at least", ""},
         c.name, {});
  v.Text({"datatype", "of its elements", ""}, c.datatype,
         {"BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64", "FP16",
          "FP32", "FP64", "BF16", "BYTES"});
  v.Numbers({"dims", "its shape without the batch, which comes first; -1 = the caller chooses", ""},
            c.dims, 0, -1, kMaxDim);
  v.Text({"output", "name of the output that repeats it; empty = as the input", ""}, c.output, {});
}

void CheckInput(TomlReader& reader, const InputKeys& c) {
  if (c.name.empty()) reader.Fail("name", "must not be empty");
  if (!IsPlainUtf8(c.name)) reader.Fail("name", "must be UTF-8 without control characters");
  if (!IsPlainUtf8(c.output)) reader.Fail("output", "must be UTF-8 without control characters");
  const bool whole = std::all_of(c.dims.begin(), c.dims.end(),
                                 [](double dim) { return std::floor(dim) == dim && dim != 0; });
  if (!whole) reader.Fail("dims", "must be whole numbers from 1, or -1");
  if (c.dims.size() > kMaxDims) reader.Fail("dims", "must be 8 at the most");
}

EchoTensor ToTensor(const InputKeys& c) {
  EchoTensor echo;
  echo.input.name = c.name;
  echo.input.type = ParseDataType(c.datatype).value_or(DataType::kFp32);
  echo.input.dims = {-1};
  for (const double dim : c.dims) echo.input.dims.push_back(static_cast<std::int64_t>(dim));
  echo.output = c.output.empty() ? c.name : c.output;
  return echo;
}

void CheckTwins(TomlReader& root, const std::vector<EchoTensor>& tensors) {
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    for (std::size_t k = 0; k < i; ++k) {
      if (tensors[i].input.name == tensors[k].input.name) {
        root.Fail("input", "two inputs are named '" + tensors[i].input.name + "'");
      }
      if (tensors[i].output == tensors[k].output) {
        root.Fail("input", "two outputs are named '" + tensors[i].output + "'");
      }
    }
  }
}

}  // namespace

std::vector<EchoTensor> ReadEchoInputs(const toml::table& table, TomlReader& root,
                                       const std::string& file, std::vector<std::string>& errors) {
  root.MarkKnown("input");
  const toml::node* node = table.get("input");
  const toml::array* list = node == nullptr ? nullptr : node->as_array();
  if (list == nullptr || list->empty() || list->size() > kMaxInputs) {
    root.Fail("input", "backend = \"echo\" needs 1 to 64 tables [[input]]");
    return {};
  }
  std::vector<EchoTensor> tensors;
  for (const toml::node& one : *list) {
    const std::string section = "input." + std::to_string(tensors.size());
    if (!one.is_table()) {
      root.Fail("input", "must be tables, [[input]]");
      return {};
    }
    TomlReader reader(*one.as_table(), file, section, errors);
    InputKeys keys;
    VisitInput(reader, keys);
    CheckInput(reader, keys);
    reader.Finish();
    tensors.push_back(ToTensor(keys));
  }
  CheckTwins(root, tensors);
  return tensors;
}

void AppendEchoInputTable(std::string& out) {
  AppendOptionTable(out, "[[input]]", VisitInput);
}

}  // namespace xcloud
