#include "http/endpoints/photo_body.h"

#include <cstddef>
#include <utility>
#include <vector>

#include "http/endpoints/photo_json.h"
#include "http/media_type.h"
#include "http/multipart.h"
#include "http/query.h"
#include "http/urlencoded_form.h"

namespace xcloud {
namespace {

constexpr std::size_t kMaxOptionBytes = 1024;  // of one field that holds an option, as sent

HttpError BadForm(const std::string& message) {
  return MakeHttpError(400, message);
}

HttpError WrongType(std::string_view type) {
  return MakeHttpError(
      415,
      "send the photo as multipart/form-data or application/json (field 'image'), as a urlencoded "
      "form, or as the body with an image/* Content-Type; this request's is '" +
          std::string(type.substr(0, 100)) + "'");
}

std::optional<HttpError> TakeFromMultipart(const std::string& boundary, const SharedBytes& body,
                                           BodyPool& pool, InferOptions& options,
                                           PhotoSource& source) {
  const auto parts = ParseMultipart(body.view(), boundary);
  if (!parts.ok()) return BadImage(parts.status().message());
  std::vector<PhotoField> fields;
  for (const Part& part : *parts) {
    if (IsPhotoField(part.name)) {
      // Some clients send a file without its name; only its first bytes tell it from text then.
      const bool binary = part.name != "imgurl" &&
                          (!part.filename.empty() || part.content_type.starts_with("image/") ||
                           BeginsAsImage(part.data));
      fields.push_back({part.name, part.data, binary});
      continue;
    }
    const Status status = ApplyInferOption(part.name, part.data, options);
    if (!status.ok()) return BadForm(status.message());
  }
  PhotoField field;
  if (auto error = ChoosePhotoField(fields, field)) return error;
  if (field.binary) {
    source.photo = body.Slice(field.value);
    return std::nullopt;
  }
  const BodySlotPtr slot = pool.Take(Base64Bound(field.value.size()));
  return TakePhotoText(field, Base64Space::kSkipped, {slot, slot->data()}, source);
}

// An option of a urlencoded form, or a field of somebody else's.
std::optional<HttpError> TakeFormOption(std::string_view name, std::string_view value,
                                        InferOptions& options) {
  // A longer one is no option's, or refused for what is left of it.
  const auto text = value.size() > kMaxOptionBytes ? std::string(value.substr(0, kMaxOptionBytes))
                                                   : PercentDecode(value, true);
  if (!text) return BadForm("the form has a malformed %-escape");
  const Status status = ApplyInferOption(name, *text, options);
  if (!status.ok()) return BadForm(status.message());
  return std::nullopt;
}

std::optional<HttpError> TakeFromUrlencoded(const SharedBytes& body, BodyPool& pool,
                                            InferOptions& options, PhotoSource& source) {
  const auto form = SplitForm(body.view());
  if (!form.ok()) return BadImage(form.status().message());
  std::vector<PhotoField> fields;
  for (const FormField& field : *form) {
    if (IsPhotoField(field.name)) {
      fields.push_back({field.name, field.value});
    } else if (auto error = TakeFormOption(field.name, field.value, options)) {
      return error;
    }
  }
  PhotoField field;
  if (auto error = ChoosePhotoField(fields, field)) return error;
  // Escapes go where the value is moved to; its base64 is then decoded where it lies.
  const BodySlotPtr slot = pool.Take(field.value.size());
  const auto size = DecodeEscapes(field.value, slot->data());
  if (!size) return BadImage("the form has a malformed %-escape");
  field.value = {slot->data(), *size};
  return TakePhotoText(field, Base64Space::kIsPlus, {slot, slot->data()}, source);
}

}  // namespace

std::optional<HttpError> ReadPhotoBodyType(std::string_view content_type, PhotoBodyType& type) {
  if (content_type.empty()) return std::nullopt;
  const auto parsed = ParseMediaType(content_type);
  if (!parsed) return BadForm("the Content-Type header is malformed");
  if (parsed->value == "multipart/form-data") {
    Result<std::string> boundary = BoundaryOf(*parsed);
    if (!boundary.ok()) return BadForm(boundary.status().message());
    type = {PhotoForm::kMultipart, *std::move(boundary)};
  } else if (parsed->value == "application/x-www-form-urlencoded") {
    type.form = PhotoForm::kUrlencoded;
  } else if (parsed->value == "application/json") {
    type.form = PhotoForm::kJson;
  } else if (!parsed->value.starts_with("image/") && parsed->value != "application/octet-stream") {
    return WrongType(content_type);
  }
  return std::nullopt;
}

std::optional<HttpError> TakePhoto(const PhotoBodyType& type, const SharedBytes& body,
                                   BodyPool& pool, InferOptions& options, PhotoSource& source) {
  if (body.empty()) return BadImage("Invalid Image: the body is empty; send a photo");
  switch (type.form) {
    case PhotoForm::kMultipart:
      return TakeFromMultipart(type.boundary, body, pool, options, source);
    case PhotoForm::kJson:
      return TakeFromJson(body.view(), pool, options, source);
    case PhotoForm::kUrlencoded:
      if (BeginsAsImage(body.view())) break;
      return TakeFromUrlencoded(body, pool, options, source);
    case PhotoForm::kRaw:
      break;
  }
  source.photo = body;
  return std::nullopt;
}

}  // namespace xcloud
