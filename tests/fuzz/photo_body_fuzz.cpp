// Of a body in any form: either a photo, or a URL, or words that say what is wrong. A photo lies
// within the body, or is decoded and then no longer than base64 makes it.
#include "http/endpoints/photo_body.h"

#include <functional>
#include <string>

#include "core/status.h"
#include "tests/fuzz/fuzz_input.h"

namespace xcloud {
namespace {

bool IsWithin(std::string_view part, std::string_view whole) {
  const std::less_equal<const char*> before;
  return before(whole.data(), part.data()) &&
         before(part.data() + part.size(), whole.data() + whole.size());
}

void CheckPhoto(std::string_view photo, std::string_view body, PhotoForm form) {
  XC_CHECK(!photo.empty());
  if (!IsWithin(photo, body)) {
    XC_CHECK(form != PhotoForm::kRaw && photo.size() <= body.size() / 4 * 3);
  } else {
    XC_CHECK(form != PhotoForm::kJson);
  }
  // Each byte can be read.
  unsigned char sum = 0;
  for (const char c : photo) sum = static_cast<unsigned char>(sum + static_cast<unsigned char>(c));
  volatile unsigned char sink = sum;
  static_cast<void>(sink);
}

void CheckOptions(const InferOptions& options) {
  XC_CHECK(options.top_k >= 0 && options.top_k <= kMaxTopK);
  XC_CHECK(!options.deadline_ms ||
           (*options.deadline_ms >= 1 && *options.deadline_ms <= kMaxDeadlineMs));
  XC_CHECK(options.timeout_us >= 0 && options.version.size() <= 64);
}

PhotoBodyType TypeOf(std::size_t choice, std::string_view body) {
  PhotoBodyType type;
  type.form = static_cast<PhotoForm>(choice % 4);
  if (type.form != PhotoForm::kMultipart) return type;
  // What the first line says, so that mutations keep both in step.
  type.boundary = body.starts_with("--") ? body.substr(2, body.find("\r\n") - 2) : "B";
  return type;
}

void TestOne(FuzzInput input) {
  const std::size_t choice = input.TakeByte();
  const ExactCopy copy(input.rest());
  const SharedBytes body({}, copy.view());
  const PhotoBodyType type = TypeOf(choice, body.view());
  static BodyPool pool;
  InferOptions options;
  PhotoSource source;
  const auto error = TakePhoto(type, body, pool, options, source);
  CheckOptions(options);
  if (error) {
    XC_CHECK(error->status == 400 && (error->code == 400 || error->code == kCodeBadImage));
    XC_CHECK(!error->message.empty());
    return;
  }
  XC_CHECK(source.url.empty() != source.photo.empty());
  if (source.url.empty()) {
    CheckPhoto(source.photo.view(), body.view(), type.form);
  } else {
    XC_CHECK(type.form != PhotoForm::kRaw && source.url.size() <= body.size());
  }
}

}  // namespace
}  // namespace xcloud

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  xcloud::TestOne({data, size});
  return 0;
}
