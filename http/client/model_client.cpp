#include "http/client/model_client.h"

#include <curl/curl.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <utility>

#include <nlohmann/json.hpp>

namespace xcloud {
namespace {

using Json = nlohmann::json;

constexpr std::chrono::seconds kConnect{5};
constexpr std::chrono::seconds kAnswer{30};
constexpr std::chrono::minutes kOperation{11};  // the server itself gives up after 10
constexpr std::size_t kMaxAnswerBytes = 16 << 20;

template <class Value>
void Set(CURL* easy, CURLoption option, Value value) {
  XC_CHECK(curl_easy_setopt(easy, option, value) == CURLE_OK);
}

std::size_t Append(char* data, std::size_t size, std::size_t count, void* body) {
  auto& text = *static_cast<std::string*>(body);
  if (text.size() + size * count > kMaxAnswerBytes) return 0;
  text.append(data, size * count);
  return size * count;
}

long Milliseconds(Duration time) {
  return static_cast<long>(std::chrono::duration_cast<std::chrono::milliseconds>(time).count());
}

std::string TextOf(const Json& row, const char* key) {
  const auto found = row.find(key);
  return found != row.end() && found->is_string() ? found->get<std::string>() : "";
}

// What the server said is wrong.
Status ErrorOf(long http_status, const std::string& body) {
  const Json json = Json::parse(body, nullptr, false);
  std::string why = json.is_object() ? TextOf(json, "error") : "";
  if (why.empty()) why = "the server answers " + std::to_string(http_status);
  if (http_status == 403) return {StatusCode::kPermissionDenied, why};
  if (http_status == 404 || http_status == 400) return Status::InvalidArgument(why);
  return Status::Internal(why);
}

// Names reach the URL as they are, so only those that could be a model's do.
bool IsName(std::string_view name) {
  return !name.empty() && name.size() <= 255 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

std::string Padded(std::string text, std::size_t width) {
  text.resize(std::max(width, text.size()), ' ');
  return text;
}

}  // namespace

Result<std::string> ModelClient::Post(const std::string& path, Duration timeout) const {
  static const CURLcode initialised = curl_global_init(CURL_GLOBAL_DEFAULT);
  XC_CHECK(initialised == CURLE_OK);
  const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> easy(curl_easy_init(),
                                                                 curl_easy_cleanup);
  XC_CHECK(easy != nullptr);
  std::string body;
  std::array<char, CURL_ERROR_SIZE> why{};
  Set(easy.get(), CURLOPT_URL, (server_ + path).c_str());
  Set(easy.get(), CURLOPT_PROTOCOLS_STR, "http");
  Set(easy.get(), CURLOPT_PROXY, "");
  Set(easy.get(), CURLOPT_NOSIGNAL, 1L);
  Set(easy.get(), CURLOPT_POSTFIELDS, "{}");
  Set(easy.get(), CURLOPT_POSTFIELDSIZE, 2L);
  Set(easy.get(), CURLOPT_CONNECTTIMEOUT_MS, Milliseconds(kConnect));
  Set(easy.get(), CURLOPT_TIMEOUT_MS, Milliseconds(timeout));
  Set(easy.get(), CURLOPT_ERRORBUFFER, why.data());
  Set(easy.get(), CURLOPT_WRITEFUNCTION, Append);
  Set(easy.get(), CURLOPT_WRITEDATA, &body);
  const std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)> headers(
      curl_slist_append(nullptr, "Content-Type: application/json"), curl_slist_free_all);
  Set(easy.get(), CURLOPT_HTTPHEADER, headers.get());
  const CURLcode code = curl_easy_perform(easy.get());
  if (code != CURLE_OK) {
    const std::string reason = why[0] != '\0' ? why.data() : curl_easy_strerror(code);
    return Status::Unavailable("cannot reach " + server_ + ": " + reason);
  }
  long http_status = 0;
  curl_easy_getinfo(easy.get(), CURLINFO_RESPONSE_CODE, &http_status);
  if (http_status != 200) return ErrorOf(http_status, body);
  return body;
}

Result<std::vector<ListedModel>> ModelClient::List() const {
  const Result<std::string> body = Post("/v2/repository/index", kAnswer);
  if (!body.ok()) return body.status();
  const Json rows = Json::parse(*body, nullptr, false);
  if (!rows.is_array()) return Status::Internal(server_ + " is no XCloud: it answers no list");
  std::vector<ListedModel> models;
  for (const Json& row : rows) {
    if (!row.is_object()) continue;
    ListedModel model{TextOf(row, "name"),
                      TextOf(row, "version"),
                      TextOf(row, "state"),
                      TextOf(row, "reason"),
                      {}};
    const auto labels = row.find("labels");
    if (labels != row.end() && labels->is_array()) {
      for (const Json& label : *labels) {
        if (label.is_string()) model.labels.push_back(label.get<std::string>());
      }
    }
    models.push_back(std::move(model));
  }
  return models;
}

Status ModelClient::Operate(std::string_view name, std::string_view what) const {
  if (!IsName(name)) {
    return Status::InvalidArgument("'" + std::string(name) +
                                   "' is no model's name: it has only a-z 0-9 _ -");
  }
  const std::string path = "/v2/repository/models/" + std::string(name) + "/" + std::string(what);
  return Post(path, kOperation).status();
}

std::string ModelTable(const std::vector<ListedModel>& models) {
  if (models.empty()) return "no models\n";
  std::vector<std::array<std::string, 5>> rows = {{"NAME", "VERSION", "STATE", "LABELS", "REASON"}};
  for (const ListedModel& model : models) {
    std::string labels;
    for (const std::string& label : model.labels) labels += (labels.empty() ? "" : ",") + label;
    const auto dash = [](const std::string& text) { return text.empty() ? "-" : text; };
    rows.push_back(
        {model.name, dash(model.version), model.state, dash(labels), dash(model.reason)});
  }
  std::array<std::size_t, 4> widths{};
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < widths.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string table;
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < widths.size(); ++i) table += Padded(row[i], widths[i]) + "  ";
    table += row[4] + "\n";
  }
  return table;
}

}  // namespace xcloud
