// PhotoBody: finds the photo in a request's body, whichever of the accepted forms it has.
//
//   multipart/form-data                the part named `image` or `imgraw`; the options of
//                                      infer_options.h may stand beside it as fields
//   image/*, application/octet-stream  the body is the photo
//   no Content-Type (curl -T)          likewise
//   application/x-www-form-urlencoded  likewise if it begins as an image file does: the type that
//                                      curl --data-binary sends when it is told none
// Thread safety: pure functions; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/shared_bytes.h"
#include "http/endpoints/infer_options.h"
#include "http/status_mapping.h"

namespace xcloud {

enum class PhotoForm { kRaw, kRawIfImage, kMultipart };

struct PhotoBodyType {
  PhotoForm form = PhotoForm::kRaw;
  std::string boundary;  // kMultipart only
};

// Decided from the headers alone, before the body is read. 415 for every other type and for any
// Content-Encoding; 400 for a multipart type without a usable boundary.
std::optional<HttpError> ReadPhotoBodyType(std::string_view content_type,
                                           std::string_view content_encoding, PhotoBodyType& type);

// Narrows `body` to the photo's bytes, without copying them, and takes the options beside it.
std::optional<HttpError> TakePhoto(const PhotoBodyType& type, SharedBytes& body,
                                   InferOptions& options);

}  // namespace xcloud
