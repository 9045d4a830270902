#include "http/endpoints/batching_json.h"

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>
#include <variant>
#include <vector>

#include "core/priority_name.h"
#include "http/json_writer.h"

namespace xcloud {
namespace {

using Json = nlohmann::json;

constexpr int kMillisecondDecimals = 6;
constexpr std::size_t kMaxDepth = 16;
constexpr std::size_t kMaxErrors = 20;    // named; the rest is counted
constexpr std::size_t kMaxKeyBytes = 64;  // of a stranger's key in a message

struct Nothing {};  // null
struct Nested {};   // an object or an array
using Value = std::variant<Nothing, bool, std::uint64_t, double, std::string, Nested>;

// Takes the members of one object; what is nested in them is checked and dropped.
class FlatObjectReader final : public nlohmann::json_sax<Json> {
 public:
  bool null() override { return Take(Nothing{}); }
  bool boolean(bool value) override { return Take(value); }
  bool number_integer(number_integer_t value) override { return Take(static_cast<double>(value)); }
  bool number_unsigned(number_unsigned_t value) override { return Take(std::uint64_t{value}); }
  bool number_float(number_float_t value, const string_t&) override { return Take(value); }
  bool string(string_t& value) override { return Take(std::move(value)); }
  bool binary(binary_t&) override { return false; }
  bool start_object(std::size_t) override {
    if (depth_ == 0) return Open();
    return Take(Nested{}) && Open();
  }
  bool start_array(std::size_t) override { return Take(Nested{}) && Open(); }
  bool end_object() override { return Close(); }
  bool end_array() override { return Close(); }
  bool key(string_t& name) override {
    if (depth_ == 1) members_.emplace_back(std::move(name), Nothing{});
    return true;
  }
  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception&) override {
    error_ = "the body is not JSON: see byte " + std::to_string(position);
    return false;
  }

  const std::vector<std::pair<std::string, Value>>& members() const { return members_; }
  const std::string& error() const { return error_; }

 private:
  bool Take(Value value) {
    if (depth_ == 0) {
      error_ = "the body must be a JSON object";
      return false;
    }
    if (depth_ == 1) members_.back().second = std::move(value);
    return true;
  }
  bool Open() {
    if (++depth_ <= kMaxDepth) return true;
    error_ = "the body is nested too deeply";
    return false;
  }
  bool Close() {
    --depth_;
    return true;
  }

  std::size_t depth_ = 0;
  std::vector<std::pair<std::string, Value>> members_;
  std::string error_;
};

// Fills a patch member by member and collects what is wrong.
class PatchReader {
 public:
  void Read(const std::string& key, const Value& value) {
    if (!seen_.insert(key).second) {
      Fail(key, "is there twice");
    } else if (key == "max_batch") {
      Count(key, value, patch_.max_batch);
    } else if (key == "queue_capacity") {
      Count(key, value, patch_.queue_capacity);
    } else if (key == "max_queue_delay_ms") {
      Milliseconds(key, value, patch_.max_queue_delay_ms);
    } else if (key == "latency_goal_ms") {
      Milliseconds(key, value, patch_.latency_goal_ms);
    } else if (key == "patience_ms") {
      Milliseconds(key, value, patch_.patience_ms);
    } else if (key == "defer") {
      Flag(key, value, patch_.defer);
    } else if (key == "priority") {
      Rank(key, value, patch_.priority);
    } else if (key == "revert_to") {
      Count(key, value, patch_.revert_to);
    } else if (key == "version") {
      Count(key, value, patch_.expected_version);
    } else {
      Fail(key, "is not a knob");
    }
  }

  Result<BatchingPatch> Finish() {
    const bool reverts = seen_.contains("revert_to");
    const std::size_t others = seen_.size() - (reverts ? 1 : 0) - seen_.count("version");
    if (reverts && others > 0) Fail("revert_to", "takes every value of a version: name no knob");
    if (seen_.empty()) Fail("the body", "names no knob");
    if (count_ == 0) return patch_;
    if (count_ > kMaxErrors) errors_ += "; and " + std::to_string(count_ - kMaxErrors) + " more";
    return Status::InvalidArgument(errors_);
  }

 private:
  template <class Number>
  void Count(const std::string& key, const Value& value, std::optional<Number>& out) {
    const auto* number = std::get_if<std::uint64_t>(&value);
    if (number == nullptr || *number == 0) return Fail(key, "must be a whole number, 1 or more");
    out = *number;
  }
  void Milliseconds(const std::string& key, const Value& value, std::optional<double>& out) {
    if (const auto* whole = std::get_if<std::uint64_t>(&value)) {
      out = static_cast<double>(*whole);
    } else if (const auto* number = std::get_if<double>(&value);
               number != nullptr && *number >= 0) {
      out = *number;
    } else {
      Fail(key, "must be a number of milliseconds, 0 or more");
    }
  }
  void Flag(const std::string& key, const Value& value, std::optional<bool>& out) {
    const auto* flag = std::get_if<bool>(&value);
    if (flag == nullptr) return Fail(key, "must be true or false");
    out = *flag;
  }
  void Rank(const std::string& key, const Value& value, std::optional<Priority>& out) {
    const auto* name = std::get_if<std::string>(&value);
    if (name != nullptr) out = ParsePriority(*name);
    if (!out) Fail(key, "must be \"high\", \"normal\" or \"low\"");
  }
  void Fail(std::string_view key, std::string_view why) {
    if (++count_ > kMaxErrors) return;
    if (!errors_.empty()) errors_ += "; ";
    errors_.append(key.substr(0, kMaxKeyBytes)).append(" ").append(why);
  }

  BatchingPatch patch_;
  std::set<std::string> seen_;
  std::string errors_;
  std::size_t count_ = 0;
};

// The members of one version; the caller opens and closes the object.
void WriteVersion(JsonWriter& json, const BatchingVersion& version) {
  const BatchLimits& limits = version.limits;
  const auto milliseconds = [&json](std::string_view key, Duration d) {
    json.Key(key).Fixed(ToMilliseconds(d), kMillisecondDecimals);
  };
  json.Key("version").Integer(static_cast<std::int64_t>(version.version));
  json.Key("since").String(FormatIso8601(version.since));
  json.Key("max_batch").Integer(static_cast<std::int64_t>(limits.max_batch));
  json.Key("queue_capacity").Integer(static_cast<std::int64_t>(limits.queue_capacity));
  milliseconds("max_queue_delay_ms", limits.max_queue_delay);
  milliseconds("latency_goal_ms", limits.latency_goal);
  json.Key("defer").Bool(limits.defer).Key("priority").String(PriorityName(limits.priority));
  milliseconds("patience_ms", limits.patience);
}

}  // namespace

std::string FormatIso8601(WallTime time) {
  using std::chrono::milliseconds;
  const auto since_epoch = std::chrono::floor<milliseconds>(time.time_since_epoch());
  const auto seconds = std::chrono::floor<std::chrono::seconds>(since_epoch);
  const std::time_t whole = seconds.count();
  std::tm utc{};
  gmtime_r(&whole, &utc);
  char text[64];
  const int length =
      std::snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", utc.tm_year + 1900,
                    utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec,
                    static_cast<int>((since_epoch - seconds).count()));
  return {text, static_cast<std::size_t>(length)};
}

std::string WriteBatching(std::string_view name, const BatchingView& view) {
  std::string out;
  JsonWriter json(out);
  json.BeginObject().Key("name").String(name);
  WriteVersion(json, view.current);
  json.Key("max_batch_limit").Integer(static_cast<std::int64_t>(view.max_batch_limit));
  json.Key("history").BeginArray();
  for (const BatchingVersion& version : view.history) {
    json.BeginObject();
    WriteVersion(json, version);
    json.EndObject();
  }
  json.EndArray().EndObject();
  return out;
}

Result<BatchingPatch> ReadBatchingPatch(std::string_view body) {
  FlatObjectReader object;
  if (!Json::sax_parse(body, &object)) return Status::InvalidArgument(object.error());
  PatchReader reader;
  for (const auto& [key, value] : object.members()) reader.Read(key, value);
  return reader.Finish();
}

}  // namespace xcloud
