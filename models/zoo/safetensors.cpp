#include "models/zoo/safetensors.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <fstream>
#include <limits>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include <ATen/ops/empty.h>
#include <nlohmann/json.hpp>

namespace xcloud::zoo {
namespace {

static_assert(std::endian::native == std::endian::little, "the format is little-endian");

using Json = nlohmann::json;
constexpr std::uint64_t kMaxHeader = 100'000'000;  // bytes, the format's own bound
constexpr std::size_t kMaxDims = 16;
constexpr const char* kMetadata = "__metadata__";

struct TypeName {
  const char* name;
  at::ScalarType type;
};
constexpr std::array<TypeName, 10> kTypes = {{{"F64", at::kDouble},
                                              {"F32", at::kFloat},
                                              {"F16", at::kHalf},
                                              {"BF16", at::kBFloat16},
                                              {"I64", at::kLong},
                                              {"I32", at::kInt},
                                              {"I16", at::kShort},
                                              {"I8", at::kChar},
                                              {"U8", at::kByte},
                                              {"BOOL", at::kBool}}};

struct Entry {
  std::string name;
  at::ScalarType type = at::kFloat;
  std::vector<std::int64_t> shape;
  std::uint64_t begin = 0, end = 0;  // bytes behind the header
};

// Refuses a name that comes twice in the header: JSON readers would take the last one silently.
class NameCheck {
 public:
  bool operator()(int depth, Json::parse_event_t event, Json& parsed) {
    if (event == Json::parse_event_t::key && depth == 1 &&
        !names_.insert(parsed.get<std::string>()).second) {
      twice_ = parsed.get<std::string>();
    }
    return true;
  }
  const std::optional<std::string>& twice() const { return twice_; }

 private:
  std::set<std::string> names_;
  std::optional<std::string> twice_;
};

std::optional<std::uint64_t> Whole(const Json& value) {
  if (!value.is_number_unsigned()) return std::nullopt;
  const auto number = value.get<std::uint64_t>();
  if (number > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
    return std::nullopt;
  }
  return number;
}

// One tensor of the header; else why it is refused.
Result<Entry> ReadEntry(const std::string& name, const Json& json, std::uint64_t values) {
  const auto refuse = [&](const std::string& why) {
    return Status::InvalidArgument("tensor '" + name + "': " + why);
  };
  if (!json.is_object() || !json.contains("dtype") || !json.contains("shape") ||
      !json.contains("data_offsets")) {
    return refuse("needs dtype, shape and data_offsets");
  }
  Entry entry;
  entry.name = name;
  const Json& dtype = json["dtype"];
  const auto type = std::find_if(kTypes.begin(), kTypes.end(), [&](const TypeName& each) {
    return dtype.is_string() && dtype.get_ref<const std::string&>() == each.name;
  });
  if (type == kTypes.end()) return refuse("unknown dtype " + dtype.dump());
  entry.type = type->type;
  if (!json["shape"].is_array() || json["shape"].size() > kMaxDims) return refuse("wrong shape");
  std::uint64_t bytes = c10::elementSize(entry.type);
  for (const Json& item : json["shape"]) {
    const std::optional<std::uint64_t> size = Whole(item);
    if (!size || (*size > 0 && bytes > std::numeric_limits<std::int64_t>::max() / *size)) {
      return refuse("wrong shape");
    }
    bytes *= *size;
    entry.shape.push_back(static_cast<std::int64_t>(*size));
  }
  const Json& offsets = json["data_offsets"];
  const bool pair = offsets.is_array() && offsets.size() == 2;
  const std::optional<std::uint64_t> begin = pair ? Whole(offsets[0]) : std::nullopt;
  const std::optional<std::uint64_t> end = pair ? Whole(offsets[1]) : std::nullopt;
  if (!begin || !end || *begin > *end || *end > values) {
    return refuse("its data_offsets " + offsets.dump() + " do not lie in the file's " +
                  std::to_string(values) + " bytes of values");
  }
  if (*end - *begin != bytes) {
    return refuse("its shape and dtype need " + std::to_string(bytes) +
                  " bytes, its data_offsets hold " + std::to_string(*end - *begin));
  }
  entry.begin = *begin;
  entry.end = *end;
  return entry;
}

// All tensors, by position, which cover the values exactly.
Result<std::vector<Entry>> ReadHeader(const std::string& text, std::uint64_t values) {
  NameCheck names;
  const Json header = Json::parse(
      text,
      [&](int depth, Json::parse_event_t event, Json& parsed) {
        return names(depth, event, parsed);
      },
      /*allow_exceptions=*/false);
  if (!header.is_object()) return Status::InvalidArgument("its header is no JSON object");
  if (names.twice()) {
    return Status::InvalidArgument("tensor '" + *names.twice() + "' comes twice");
  }
  std::vector<Entry> entries;
  for (const auto& [name, json] : header.items()) {
    if (name == kMetadata) continue;
    Result<Entry> entry = ReadEntry(name, json, values);
    if (!entry.ok()) return entry.status();
    entries.push_back(*std::move(entry));
  }
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  std::uint64_t covered = 0;
  for (const Entry& entry : entries) {
    if (entry.begin != covered) {
      return Status::InvalidArgument("tensor '" + entry.name + "': its values " +
                                     (entry.begin < covered ? "overlap others" : "leave a gap"));
    }
    covered = entry.end;
  }
  if (covered != values) {
    return Status::InvalidArgument("it has " + std::to_string(values - covered) +
                                   " bytes that belong to no tensor");
  }
  return entries;
}

Result<std::map<std::string, at::Tensor>> ReadChecked(std::ifstream& in, std::uint64_t size) {
  std::uint64_t length = 0;
  in.read(reinterpret_cast<char*>(&length), sizeof length);
  if (!in) return Status::InvalidArgument("it is too short for a header");
  if (length > kMaxHeader || length > size - sizeof length) {
    return Status::InvalidArgument("its header would be " + std::to_string(length) +
                                   " bytes, more than the file has or may have");
  }
  std::string text(length, '\0');
  in.read(text.data(), static_cast<std::streamsize>(length));
  if (!in) return Status::InvalidArgument("it cannot be read");
  const Result<std::vector<Entry>> entries = ReadHeader(text, size - sizeof length - length);
  if (!entries.ok()) return entries.status();
  std::map<std::string, at::Tensor> tensors;
  for (const Entry& entry : *entries) {
    at::Tensor tensor = at::empty(entry.shape, entry.type);
    in.read(static_cast<char*>(tensor.data_ptr()),
            static_cast<std::streamsize>(entry.end - entry.begin));
    if (!in) return Status::InvalidArgument("it cannot be read to its end");
    tensors[entry.name] = std::move(tensor);
  }
  return tensors;
}

struct Written {
  std::string name;
  at::Tensor tensor;
};

// The header, padded with spaces to a multiple of 8; the larger types first, so that all values
// are aligned.
Result<std::string> MakeHeader(std::vector<Written>& tensors) {
  std::stable_sort(tensors.begin(), tensors.end(), [](const Written& a, const Written& b) {
    return a.tensor.element_size() > b.tensor.element_size();
  });
  // Ordered, so that equal weights make equal files.
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  std::size_t offset = 0;
  for (const Written& item : tensors) {
    const auto type = std::find_if(kTypes.begin(), kTypes.end(), [&](const TypeName& each) {
      return each.type == item.tensor.scalar_type();
    });
    if (type == kTypes.end()) {
      return Status::InvalidArgument("tensor '" + item.name + "' has a type that safetensors lack");
    }
    const std::size_t end = offset + item.tensor.nbytes();
    header[item.name] = {{"dtype", type->name},
                         {"shape", item.tensor.sizes().vec()},
                         {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  return text;
}

}  // namespace

Result<std::map<std::string, at::Tensor>> ReadSafetensors(const std::filesystem::path& file) {
  const std::string name = file.filename().string();
  std::error_code error;
  const std::uint64_t size = std::filesystem::file_size(file, error);
  std::ifstream in(file, std::ios::binary);
  if (error || !in) return Status::InvalidArgument(name + ": cannot be read");
  try {
    Result<std::map<std::string, at::Tensor>> tensors = ReadChecked(in, size);
    if (tensors.ok()) return tensors;
    return Status::InvalidArgument(name +
                                   ": not a whole safetensors file: " + tensors.status().message());
  } catch (const std::exception&) {
    return Status::InvalidArgument(name + ": no memory for its tensors");
  }
}

Status WriteSafetensors(const std::filesystem::path& file,
                        const std::map<std::string, at::Tensor>& tensors) {
  try {
    std::vector<Written> written;
    for (const auto& [name, tensor] : tensors) {
      written.push_back({name, tensor.detach().to(at::kCPU).contiguous()});
    }
    const Result<std::string> header = MakeHeader(written);
    if (!header.ok()) return header.status();
    const std::filesystem::path part = file.string() + ".part";
    std::ofstream out(part, std::ios::binary | std::ios::trunc);
    const std::uint64_t length = header->size();
    out.write(reinterpret_cast<const char*>(&length), sizeof length);
    out.write(header->data(), static_cast<std::streamsize>(length));
    for (const Written& item : written) {
      out.write(static_cast<const char*>(item.tensor.data_ptr()),
                static_cast<std::streamsize>(item.tensor.nbytes()));
    }
    out.close();
    if (!out) return Status::Internal("cannot write " + file.filename().string());
    std::filesystem::rename(part, file);
  } catch (const std::exception& error) {
    return Status::Internal("cannot write " + file.filename().string() + ": " + error.what());
  }
  return Status::Ok();
}

}  // namespace xcloud::zoo
