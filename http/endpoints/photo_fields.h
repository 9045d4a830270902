// PhotoFields: the fields that a photo may come in, the same in every kind of form:
//
//   image   a file, base64, or a URL (a text with http:// or https:// in it)
//   imgraw  a file or base64
//   imgurl  a URL
//
// Base64 may have a data: URI in front ("data:image/jpeg;base64,"). One of them holds a photo: a
// page sends the input that was left blank as well, so empty ones are passed over, and two photos
// are refused rather than one of them guessed at.
//
// Thread safety: values and pure functions; any thread.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/shared_bytes.h"
#include "http/base64.h"
#include "http/body_pool.h"
#include "http/status_mapping.h"

namespace xcloud {

// Where the photo is: one of the two.
struct PhotoSource {
  SharedBytes photo;
  std::string url;  // to be fetched first; empty = `photo` is it
};

struct PhotoField {
  std::string_view name;
  std::string_view value;
  bool binary = false;  // a file: its bytes are the photo
};

bool IsPhotoField(std::string_view name);

// Whether `bytes` begin as a file of a format that we read.
bool BeginsAsImage(std::string_view bytes);

// The one field with something in it; else what is wrong (400, body code 1).
std::optional<HttpError> ChoosePhotoField(std::span<const PhotoField> fields, PhotoField& chosen);

// Where the decoded bytes go: into `slot` at `out`, which has room for Base64Bound of the text, or
// is where the text stands itself.
struct DecodeTarget {
  BodySlotPtr slot;
  char* out;
};

// Takes the photo or its URL from the text of a field. 400 with body code 1 says what is wrong.
std::optional<HttpError> TakePhotoText(const PhotoField& field, Base64Space space,
                                       const DecodeTarget& target, PhotoSource& source);

}  // namespace xcloud
