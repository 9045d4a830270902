#include "http/endpoints/photo_json.h"

#include <rapidjson/error/en.h>
#include <rapidjson/reader.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "core/status.h"
#include "http/v2/json_document.h"

namespace xcloud {
namespace {

constexpr std::size_t kMaxPhotoFields = 64;  // empty ones beside the one that counts

// What a member's value may be.
constexpr unsigned kText = 1;
constexpr unsigned kNumber = 2;  // a whole one
constexpr unsigned kTruth = 4;
constexpr unsigned kOther = 8;  // nothing we take: a fraction, an object, an array

struct Member {
  std::string_view name;
  unsigned takes;
  std::string_view words;
};

constexpr Member kMembers[] = {
    {"image", kText, "a string: base64 or a URL"},
    {"imgraw", kText, "a string of base64"},
    {"imgurl", kText, "a string: a URL"},
    {"k", kNumber, "a whole number"},
    {"deadline_ms", kNumber, "a whole number"},
    {"timeout", kNumber, "a whole number"},
    {"priority", kText, "a string"},
    {"explain", kTruth | kNumber, "true or false"},
    {"model_version", kText | kNumber, "a string"},
    {"version", kText | kNumber, "a string"},
};

const Member* FindMember(std::string_view name) {
  for (const Member& member : kMembers) {
    if (member.name == name) return &member;
  }
  return nullptr;
}

// RapidJSON's events: each returns whether to go on, and leaves the reason in `error` if not.
class Handler : public rapidjson::BaseReaderHandler<rapidjson::UTF8<>, Handler> {
 public:
  explicit Handler(InferOptions& options) : options_(options) {}

  bool Null() {
    member_ = nullptr;
    return RootIsObject();
  }
  bool Bool(bool value) { return Value(kTruth, value ? "true" : "false"); }
  bool Int(int value) { return Value(kNumber, std::to_string(value)); }
  bool Uint(unsigned value) { return Value(kNumber, std::to_string(value)); }
  bool Int64(std::int64_t value) { return Value(kNumber, std::to_string(value)); }
  bool Uint64(std::uint64_t value) { return Value(kNumber, std::to_string(value)); }
  bool Double(double) { return Value(kOther, {}); }
  bool String(const char* text, rapidjson::SizeType length, bool) {
    return Value(kText, {text, length});
  }
  bool Key(const char* text, rapidjson::SizeType length, bool) {
    member_ = depth_ == 1 ? FindMember({text, length}) : nullptr;
    return true;
  }
  bool StartObject() { return Open(depth_ == 0); }
  bool EndObject(rapidjson::SizeType) { return Close(); }
  bool StartArray() { return Open(false); }
  bool EndArray(rapidjson::SizeType) { return Close(); }

  const std::optional<HttpError>& error() const { return error_; }
  const std::vector<PhotoField>& fields() const { return fields_; }

 private:
  bool Fail(HttpError error) {
    error_ = std::move(error);
    return false;
  }
  bool RootIsObject() { return depth_ > 0 || Fail(BadImage("the JSON body must be an object")); }
  bool Open(bool is_root) {
    if (!is_root && !Value(kOther, {})) return false;
    if (++depth_ <= kMaxJsonDepth) return true;
    return Fail(BadImage(std::string(kTooDeepJson)));
  }
  bool Close() {
    --depth_;
    return true;
  }
  // A value of the member that was named last, if we know that.
  bool Value(unsigned type, std::string_view text) {
    if (!RootIsObject()) return false;
    const Member* member = std::exchange(member_, nullptr);
    if (member == nullptr) return true;
    const bool is_photo = IsPhotoField(member->name);
    if ((member->takes & type) == 0) {
      const std::string message =
          "'" + std::string(member->name) + "' must be " + std::string(member->words);
      return Fail(is_photo ? BadImage(message) : MakeHttpError(400, message));
    }
    if (is_photo) {
      if (fields_.size() == kMaxPhotoFields) return Fail(BadImage("one photo a request"));
      fields_.push_back({member->name, text});
      return true;
    }
    const Status status = ApplyInferOption(member->name, text, options_);
    return status.ok() || Fail(MakeHttpError(400, status.message()));
  }

  InferOptions& options_;
  int depth_ = 0;
  const Member* member_ = nullptr;
  std::vector<PhotoField> fields_;  // point into the parsed text
  std::optional<HttpError> error_;
};

HttpError Malformed(std::size_t at, const std::string& why) {
  return BadImage("malformed JSON at byte " + std::to_string(at) + ": " + why);
}

}  // namespace

std::optional<HttpError> TakeFromJson(std::string_view body, BodyPool& pool, InferOptions& options,
                                      PhotoSource& source) {
  const BodySlotPtr slot = pool.Take(body.size() + 1);
  std::memcpy(slot->data(), body.data(), body.size());
  slot->data()[body.size()] = '\0';
  rapidjson::InsituStringStream stream(slot->data());
  rapidjson::Reader reader;
  Handler handler(options);
  const rapidjson::ParseResult parsed = reader.Parse<rapidjson::kParseInsituFlag>(stream, handler);
  if (handler.error()) return handler.error();
  if (parsed.IsError()) {
    return Malformed(parsed.Offset(), rapidjson::GetParseError_En(parsed.Code()));
  }
  // The parser takes a zero byte for the end.
  if (stream.Tell() != body.size()) return Malformed(stream.Tell(), "a zero byte");
  PhotoField field;
  if (auto error = ChoosePhotoField(handler.fields(), field)) return error;
  char* const text = slot->data() + (field.value.data() - slot->data());
  return TakePhotoText({field.name, field.value}, Base64Space::kSkipped, {slot, text}, source);
}

}  // namespace xcloud
