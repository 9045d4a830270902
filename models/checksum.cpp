#include "models/checksum.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <memory>
#include <optional>

#include <nlohmann/json.hpp>

namespace xcloud {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kHexDigits = 64;
constexpr std::size_t kMaxListBytes = 1 << 20;
constexpr std::size_t kBlockBytes = 1 << 20;
constexpr std::size_t kMaxShownBytes = 100;

Status Invalid(std::string message) {
  return Status::InvalidArgument(std::move(message));
}

bool IsHex(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
  });
}

std::string Lower(std::string_view hex) {
  std::string out(hex);
  for (char& c : out) c = c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c;
  return out;
}

// "./model.pt" and "model.pt" are one name; empty when it leads out of the folder.
std::string InnerName(std::string_view name) {
  if (name.empty() || name.find('\0') != std::string_view::npos) return "";
  const fs::path normal = fs::path(name).lexically_normal();
  if (normal.is_absolute() || normal.empty() || *normal.begin() == ".." || normal == ".") return "";
  return normal.string();
}

Result<ListedFile> MakeListed(std::string_view name, std::string_view sha256) {
  ListedFile listed{InnerName(name), Lower(sha256)};
  const std::string shown = "'" + std::string(name.substr(0, kMaxShownBytes)) + "'";
  if (listed.name.empty()) return Invalid("the name " + shown + " leaves the version's folder");
  if (listed.sha256.size() != kHexDigits || !IsHex(listed.sha256)) {
    return Invalid("the checksum of " + shown + " is not 64 hex digits");
  }
  return listed;
}

// Nothing when there is no such file.
std::optional<std::string> ReadList(const fs::path& path) {
  std::error_code error;
  if (!fs::exists(path, error)) return std::nullopt;
  std::ifstream in(path, std::ios::binary);
  std::string text(kMaxListBytes + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  return text;
}

std::string Short(const std::string& sha256) {
  return sha256.substr(0, 12) + "...";
}

class Comparison {
 public:
  explicit Comparison(const fs::path& version)
      : folder_(version),
        shown_(version.parent_path().filename().string() + "/" + version.filename().string() +
               "/") {}

  void Compare(std::string_view list, const Result<std::vector<ListedFile>>& files,
               std::string_view loaded) {
    if (!files.ok()) return Fail(list, files.status().message());
    bool names_loaded = files->empty();
    for (const ListedFile& file : *files) {
      names_loaded = names_loaded || file.name == loaded;
      const Result<std::string> sha256 = Sha256OfFile(folder_ / file.name);
      if (!sha256.ok()) {
        Fail(file.name, "cannot be read, and " + std::string(list) + " names it");
      } else if (*sha256 != file.sha256) {
        Fail(file.name, "its SHA-256 is " + Short(*sha256) + ", but " + std::string(list) +
                            " says " + Short(file.sha256));
      }
    }
    if (!names_loaded) Fail(list, "it does not name " + std::string(loaded));
  }
  void Fail(std::string_view file, const std::string& why) {
    wrong_ += (wrong_.empty() ? "" : "\n") + shown_ + std::string(file) + ": " + why;
  }
  Status status() const { return wrong_.empty() ? Status::Ok() : Invalid(wrong_); }

 private:
  const fs::path folder_;
  const std::string shown_;
  std::string wrong_;
};

}  // namespace

Result<std::string> Sha256OfFile(const fs::path& file) {
  std::error_code error;
  std::ifstream in(file, std::ios::binary);
  if (!in || !fs::is_regular_file(file, error)) {
    return Status::NotFound("cannot read " + file.filename().string());
  }
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                        EVP_MD_CTX_free);
  XC_CHECK(context != nullptr && EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) == 1);
  std::vector<char> block(kBlockBytes);
  while (in) {
    in.read(block.data(), static_cast<std::streamsize>(block.size()));
    XC_CHECK(EVP_DigestUpdate(context.get(), block.data(), static_cast<std::size_t>(in.gcount())) ==
             1);
  }
  if (in.bad()) return Status::NotFound("cannot read " + file.filename().string());
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  XC_CHECK(EVP_DigestFinal_ex(context.get(), digest.data(), &size) == 1);
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string hex;
  for (unsigned int i = 0; i < size; ++i) {
    hex += kHex[digest[i] >> 4U];
    hex += kHex[digest[i] & 15U];
  }
  return hex;
}

Result<std::vector<ListedFile>> ParseSums(std::string_view text) {
  if (text.size() > kMaxListBytes) return Invalid("it is over 1 MiB");
  std::vector<ListedFile> files;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (line.empty()) continue;
    const bool form = line.size() > kHexDigits + 2 && line[kHexDigits] == ' ' &&
                      (line[kHexDigits + 1] == ' ' || line[kHexDigits + 1] == '*');
    const std::string place = "line " + std::to_string(number) + ": ";
    if (!form) return Invalid(place + "it must be a SHA-256, two blanks and a file's name");
    Result<ListedFile> listed = MakeListed(line.substr(kHexDigits + 2), line.substr(0, kHexDigits));
    if (!listed.ok()) return Invalid(place + listed.status().message());
    files.push_back(*std::move(listed));
  }
  if (files.empty()) return Invalid("it names no file");
  return files;
}

Result<std::vector<ListedFile>> ParseManifest(std::string_view json, std::string_view file) {
  if (json.size() > kMaxListBytes) return Invalid("it is over 1 MiB");
  const auto manifest = nlohmann::json::parse(json, nullptr, /*allow_exceptions=*/false);
  if (!manifest.is_object()) return Invalid("it is not a JSON object");
  const auto text = [&](const char* key) {
    const auto found = manifest.find(key);
    const bool is_text = found != manifest.end() && found->is_string();
    return is_text ? found->get<std::string>() : std::string();
  };
  if (!manifest.contains("file_sha256")) return std::vector<ListedFile>();
  const std::string named = text("file");
  Result<ListedFile> listed = MakeListed(named.empty() ? file : named, text("file_sha256"));
  if (!listed.ok()) return listed.status();
  return std::vector<ListedFile>{*std::move(listed)};
}

Status CheckChecksums(const fs::path& version, std::string_view file) {
  Comparison comparison(version);
  if (const auto text = ReadList(version / kSumsFile)) {
    comparison.Compare(kSumsFile, ParseSums(*text), file);
  }
  if (const auto text = ReadList(version / kManifestFile)) {
    comparison.Compare(kManifestFile, ParseManifest(*text, file), file);
  }
  return comparison.status();
}

}  // namespace xcloud
