#include "http/endpoints/photo_body.h"

#include <utility>

#include "http/media_type.h"
#include "http/multipart.h"

namespace xcloud {
namespace {

constexpr std::size_t kMaxBoundaryBytes = 70;  // RFC 2046

HttpError BadForm(const std::string& message) {
  return MakeHttpError(400, message);
}

bool BeginsAsImage(std::string_view body) {
  return body.starts_with("\xFF\xD8\xFF") || body.starts_with("\x89PNG\r\n\x1A\n") ||
         body.starts_with("BM") ||
         (body.starts_with("RIFF") && body.size() >= 12 && body.substr(8, 4) == "WEBP");
}

HttpError WrongType(std::string_view type) {
  return MakeHttpError(
      415,
      "send the photo as multipart/form-data (part 'image') or as the body with an image/* "
      "Content-Type; this request's is '" +
          std::string(type.substr(0, 100)) + "'");
}

std::optional<HttpError> TakeFromForm(const std::string& boundary, SharedBytes& body,
                                      InferOptions& options) {
  const auto parts = ParseMultipart(body.view(), boundary);
  if (!parts.ok()) return BadImage(parts.status().message());
  for (const Part& part : *parts) {
    if (part.name == "image" || part.name == "imgraw") continue;
    const Status status = ApplyInferOption(part.name, part.data, options);
    if (!status.ok()) return BadForm(status.message());
  }
  const Part* photo = FindPart(*parts, "image");
  if (photo == nullptr) photo = FindPart(*parts, "imgraw");
  if (photo == nullptr) return BadImage("the form has no part named 'image' or 'imgraw'");
  if (photo->data.empty()) return BadImage("the form's image part is empty");
  body = body.Slice(photo->data);
  return std::nullopt;
}

}  // namespace

std::optional<HttpError> ReadPhotoBodyType(std::string_view content_type,
                                           std::string_view content_encoding, PhotoBodyType& type) {
  if (!content_encoding.empty() && !EqualsIgnoreCase(content_encoding, "identity")) {
    return MakeHttpError(415, "a body with a Content-Encoding is not read here");
  }
  if (content_type.empty()) return std::nullopt;
  const auto parsed = ParseMediaType(content_type);
  if (!parsed) return BadForm("the Content-Type header is malformed");
  if (parsed->value == "multipart/form-data") {
    const std::string* boundary = parsed->Parameter("boundary");
    if (boundary == nullptr || boundary->empty() || boundary->size() > kMaxBoundaryBytes) {
      return BadForm("multipart/form-data needs a boundary of 1 to 70 characters");
    }
    type = {PhotoForm::kMultipart, *boundary};
    return std::nullopt;
  }
  if (parsed->value.starts_with("image/") || parsed->value == "application/octet-stream") {
    return std::nullopt;
  }
  if (parsed->value == "application/x-www-form-urlencoded") {
    type.form = PhotoForm::kRawIfImage;
    return std::nullopt;
  }
  return WrongType(content_type);
}

std::optional<HttpError> TakePhoto(const PhotoBodyType& type, SharedBytes& body,
                                   InferOptions& options) {
  if (body.empty()) return BadImage("the body is empty: send a photo");
  switch (type.form) {
    case PhotoForm::kMultipart:
      return TakeFromForm(type.boundary, body, options);
    case PhotoForm::kRawIfImage:
      if (!BeginsAsImage(body.view())) return WrongType("application/x-www-form-urlencoded");
      return std::nullopt;
    case PhotoForm::kRaw:
      break;
  }
  return std::nullopt;
}

}  // namespace xcloud
