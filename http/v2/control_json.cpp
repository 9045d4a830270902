#include "http/v2/control_json.h"

#include <filesystem>
#include <utility>

#include "http/json_writer.h"
#include "http/v2/json_document.h"

namespace xcloud {
namespace {

using Object = JsonValue::Object;

constexpr std::size_t kMaxShownBytes = 64;  // of a stranger's key in a message
constexpr std::string_view kFilePrefix = "file:";
constexpr std::string_view kLogFormat = "ISO8601";

std::string Shown(std::string_view key) {
  return "'" + std::string(key.substr(0, kMaxShownBytes)) + "'";
}

Result<JsonValue> ReadObject(std::string_view body) {
  if (body.find_first_not_of(" \t\r\n") == std::string_view::npos) return JsonValue(Object());
  Result<JsonValue> json = ParseJson(body);
  if (json.ok() && json->As<Object>() == nullptr) {
    return Status::InvalidArgument("the request must be a JSON object");
  }
  return json;
}

// The object's "parameters"; an empty one when there are none.
Result<Object> ReadParameters(std::string_view body) {
  Result<JsonValue> json = ReadObject(body);
  if (!json.ok()) return json.status();
  for (auto& [key, value] : *json->As<Object>()) {
    if (key != "parameters") continue;
    Object* parameters = value.As<Object>();
    if (parameters == nullptr) return Status::InvalidArgument("'parameters' must be an object");
    return std::move(*parameters);
  }
  return Object();
}

bool LeavesFolder(std::string_view path) {
  if (path.empty() || path.find('\0') != std::string_view::npos) return true;
  const auto normal = std::filesystem::path(path).lexically_normal();
  return normal.is_absolute() || *normal.begin() == "..";
}

Status CheckLoadParameter(std::string_view model, std::string_view key) {
  const std::string failed = "failed to load '" + std::string(model) + "', ";
  if (key == "config") {
    return Status::Unsupported(failed + "the parameter 'config' is not supported: the model's " +
                               "model.toml says how it is run");
  }
  if (!key.starts_with(kFilePrefix)) {
    return Status::InvalidArgument(failed + "unrecognized load parameter " + Shown(key));
  }
  if (LeavesFolder(key.substr(kFilePrefix.size()))) {
    return Status::InvalidArgument(failed + "the path of the parameter " + Shown(key) +
                                   " leaves the model's folder");
  }
  return Status::Unsupported(failed + "the parameter " + Shown(key) +
                             " is not supported: put the file into the model's folder");
}

Status ApplyFlag(const std::string& key, const JsonValue& value, bool& flag) {
  const bool* given = value.As<bool>();
  if (given == nullptr) return Status::InvalidArgument(Shown(key) + " must be a boolean");
  flag = *given;
  return Status::Ok();
}

Status ApplyVerboseLevel(const std::string& key, const JsonValue& value, int& level) {
  std::uint64_t given = 0;
  if (!value.AsUnsigned(given) || given > 1) {
    return Status::InvalidArgument(Shown(key) + " must be 0 or 1");
  }
  level = static_cast<int>(given);
  return Status::Ok();
}

Status ApplyFormat(const std::string& key, const JsonValue& value) {
  const std::string* given = value.As<std::string>();
  if (given != nullptr && *given == kLogFormat) return Status::Ok();
  return Status::InvalidArgument(Shown(key) + " is not supported other than as \"" +
                                 std::string(kLogFormat) + "\"");
}

Status ApplyLogSetting(const std::string& key, const JsonValue& value, LogSettings& settings) {
  if (key == "log_info") return ApplyFlag(key, value, settings.info);
  if (key == "log_warning") return ApplyFlag(key, value, settings.warning);
  if (key == "log_error") return ApplyFlag(key, value, settings.error);
  if (key == "log_verbose_level") return ApplyVerboseLevel(key, value, settings.verbose_level);
  if (key == "log_format") return ApplyFormat(key, value);
  if (key == "log_file") {
    return Status::InvalidArgument("log file location can not be updated through network protocol");
  }
  return Status::InvalidArgument("unknown log setting " + Shown(key));
}

Result<spdlog::level::level_enum> ToLevel(const LogSettings& settings) {
  const bool verbose = settings.verbose_level > 0;
  const bool falls_apart = (verbose && !settings.info) || (settings.info && !settings.warning) ||
                           (settings.warning && !settings.error);
  if (falls_apart) {
    return Status::InvalidArgument(
        "log levels are ordered: log_verbose_level needs log_info, log_info needs log_warning, "
        "log_warning needs log_error");
  }
  if (verbose) return spdlog::level::debug;
  if (settings.info) return spdlog::level::info;
  if (settings.warning) return spdlog::level::warn;
  return settings.error ? spdlog::level::err : spdlog::level::off;
}

}  // namespace

Result<bool> ReadIndexBody(std::string_view body) {
  const Result<JsonValue> json = ReadObject(body);
  if (!json.ok()) return json.status();
  const JsonValue* ready = json->Find("ready");
  if (ready == nullptr) return false;
  const bool* given = ready->As<bool>();
  if (given == nullptr) {
    return Status::InvalidArgument("Invalid value for 'ready': expected a boolean");
  }
  return *given;
}

Status CheckLoadBody(std::string_view model, std::string_view body) {
  const Result<Object> parameters = ReadParameters(body);
  if (!parameters.ok()) return parameters.status();
  Status worst = Status::Ok();
  for (const auto& [key, value] : *parameters) {
    Status status = CheckLoadParameter(model, key);
    // A path that would leave the folder is told before what is merely not offered.
    if (worst.ok() || status.code() == StatusCode::kInvalidArgument) worst = std::move(status);
  }
  return worst;
}

Status CheckUnloadBody(std::string_view body) {
  const Result<Object> parameters = ReadParameters(body);
  if (!parameters.ok()) return parameters.status();
  for (const auto& [key, value] : *parameters) {
    if (key != "unload_dependents") {
      return Status::InvalidArgument("unrecognized unload parameter " + Shown(key));
    }
    bool unused = false;
    if (Status status = ApplyFlag(key, value, unused); !status.ok()) return status;
  }
  return Status::Ok();
}

LogSettings ToLogSettings(spdlog::level::level_enum level) {
  LogSettings settings;
  settings.verbose_level = level <= spdlog::level::debug ? 1 : 0;
  settings.info = level <= spdlog::level::info;
  settings.warning = level <= spdlog::level::warn;
  settings.error = level <= spdlog::level::err;
  return settings;
}

std::string WriteLogSettings(const LogSettings& settings) {
  std::string out;
  JsonWriter json(out);
  json.BeginObject().Key("log_file").String("").Key("log_info").Bool(settings.info);
  json.Key("log_warning").Bool(settings.warning).Key("log_error").Bool(settings.error);
  json.Key("log_verbose_level").Integer(settings.verbose_level);
  json.Key("log_format").String(kLogFormat).EndObject();
  return out;
}

Result<spdlog::level::level_enum> ReadLogSettings(std::string_view body, LogSettings current) {
  const Result<JsonValue> json = ReadObject(body);
  if (!json.ok()) return json.status();
  for (const auto& [key, value] : *json->As<Object>()) {
    if (Status status = ApplyLogSetting(key, value, current); !status.ok()) return status;
  }
  return ToLevel(current);
}

}  // namespace xcloud
