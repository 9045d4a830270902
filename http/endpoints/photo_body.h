// PhotoBody: finds the photo, or its URL, in a request's body, whichever of the accepted forms it
// has.
//
//   multipart/form-data                parts and fields as photo_fields.h names them; the options
//                                      of infer_options.h may stand beside them as fields
//   application/x-www-form-urlencoded  likewise. If it begins as an image file does, the body is
//                                      the photo: this is the type that curl --data-binary sends
//                                      when it is told none
//   application/json                   photo_json.h
//   image/*, application/octet-stream  the body is the photo
//   no Content-Type (curl -T)          likewise
//
// The limit of bytes is the body's own, whatever the form: base64 takes a third more of it.
// Thread safety: pure functions; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/shared_bytes.h"
#include "http/body_pool.h"
#include "http/endpoints/infer_options.h"
#include "http/endpoints/photo_fields.h"
#include "http/status_mapping.h"

namespace xcloud {

enum class PhotoForm { kRaw, kUrlencoded, kMultipart, kJson };

struct PhotoBodyType {
  PhotoForm form = PhotoForm::kRaw;
  std::string boundary;  // kMultipart only
};

// Decided from the headers alone, before the body is read. 415 for every other type; 400 for a
// multipart type without a usable boundary.
std::optional<HttpError> ReadPhotoBodyType(std::string_view content_type, PhotoBodyType& type);

// Takes the photo or its URL, and the options beside it. Bytes of the photo that stand in the body
// as they are stay there; decoded ones lie in memory of `pool`.
std::optional<HttpError> TakePhoto(const PhotoBodyType& type, const SharedBytes& body,
                                   BodyPool& pool, InferOptions& options, PhotoSource& source);

}  // namespace xcloud
