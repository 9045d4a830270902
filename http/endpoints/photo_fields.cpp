#include "http/endpoints/photo_fields.h"

#include <cstddef>

#include "http/media_type.h"

namespace xcloud {
namespace {

// A URL, or the front of a data: URI, is no longer; base64 is not searched to its end for one.
constexpr std::size_t kMaxPrefixBytes = 2048;

std::string Quoted(std::string_view name) {
  return "'" + std::string(name) + "'";
}

bool IsBlank(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

std::string_view Trim(std::string_view text) {
  while (!text.empty() && IsBlank(text.front())) text.remove_prefix(1);
  while (!text.empty() && IsBlank(text.back())) text.remove_suffix(1);
  return text;
}

bool IsUrl(const PhotoField& field, std::string_view text) {
  if (field.name == "imgurl") return true;
  const std::string_view front = text.substr(0, kMaxPrefixBytes);
  // Base64 has no colon, so this cannot be one.
  return field.name == "image" && (front.find("http://") != std::string_view::npos ||
                                   front.find("https://") != std::string_view::npos);
}

// Takes "data:image/jpeg;base64," off the front. False when another kind of data: URI stands there.
bool TakeDataPrefix(std::string_view& text) {
  constexpr std::string_view kScheme = "data:";
  constexpr std::string_view kBase64 = ";base64";
  if (!EqualsIgnoreCase(text.substr(0, kScheme.size()), kScheme)) return true;
  const std::size_t comma = text.substr(0, kMaxPrefixBytes).find(',');
  if (comma == std::string_view::npos) return false;
  const std::string_view type = text.substr(0, comma);
  if (type.size() < kBase64.size() ||
      !EqualsIgnoreCase(type.substr(type.size() - kBase64.size()), kBase64)) {
    return false;
  }
  text.remove_prefix(comma + 1);
  return true;
}

}  // namespace

bool IsPhotoField(std::string_view name) {
  return name == "image" || name == "imgraw" || name == "imgurl";
}

bool BeginsAsImage(std::string_view bytes) {
  return bytes.starts_with("\xFF\xD8\xFF") || bytes.starts_with("\x89PNG\r\n\x1A\n") ||
         bytes.starts_with("BM") ||
         (bytes.starts_with("RIFF") && bytes.size() >= 12 && bytes.substr(8, 4) == "WEBP");
}

std::optional<HttpError> ChoosePhotoField(std::span<const PhotoField> fields, PhotoField& chosen) {
  if (fields.empty()) {
    return BadImage(
        "Invalid Image: there is none; send it as 'image' or 'imgraw' (a file or base64) or as "
        "'imgurl' (a URL)");
  }
  const PhotoField* found = nullptr;
  for (const PhotoField& field : fields) {
    if (field.binary ? field.value.empty() : Trim(field.value).empty()) continue;
    if (found != nullptr) {
      return BadImage("one photo a request: both " + Quoted(found->name) + " and " +
                      Quoted(field.name) + " hold one");
    }
    found = &field;
  }
  if (found == nullptr) return BadImage("Invalid Image: " + Quoted(fields[0].name) + " is empty");
  chosen = *found;
  return std::nullopt;
}

std::optional<HttpError> TakePhotoText(const PhotoField& field, Base64Space space,
                                       const DecodeTarget& target, PhotoSource& source) {
  std::string_view text = Trim(field.value);
  if (IsUrl(field, text)) {
    source.url = text;
    return std::nullopt;
  }
  if (!TakeDataPrefix(text)) {
    return BadImage("the data: URI of " + Quoted(field.name) + " must say ;base64, and then hold " +
                    "the photo");
  }
  const Result<std::size_t> decoded = DecodeBase64(text, target.out, space);
  if (!decoded.ok()) {
    return BadImage("the base64 of " + Quoted(field.name) + " is broken " +
                    decoded.status().message());
  }
  if (*decoded == 0) return BadImage("Invalid Image: " + Quoted(field.name) + " is empty");
  source.photo = SharedBytes(target.slot, {target.out, *decoded});
  return std::nullopt;
}

}  // namespace xcloud
