// ServedService: what the server publishes about one service: its versions, which of them answer,
// and which one a request means. Plain values, made by the loader and the operator's calls, never
// changed once published.
//
// Pure functions; any thread.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "core/inference_service.h"
#include "core/metrics.h"
#include "core/result.h"
#include "models/loaded_model.h"

namespace xcloud {

// Answers by outcome, in the order of StatusCode.
using Outcomes = std::array<Counter*, static_cast<std::size_t>(StatusCode::kInternal) + 1>;

struct ServedVersion {
  ServiceInfoPtr info;
  std::shared_ptr<const LoadedModel> model;            // null unless it answers
  std::shared_ptr<std::atomic<std::size_t>> upstream;  // its photos in the decode pool; as model
};

struct ServedService {
  // What is told when no version is named: the default version's, as long as that one answers;
  // else the service's own state and reason.
  ServiceInfoPtr info;
  std::string trouble;  // what is wrong though versions answer: the last load that failed
  std::map<std::int64_t, ServedVersion> versions;
  std::map<std::string, std::int64_t, std::less<>> labels;
  std::shared_ptr<const Outcomes> outcomes;  // shared with requests that outlive the server
};

using ServiceMap = std::map<std::string, ServedService, std::less<>>;

// Null when there is no service of that name.
const ServedService* FindService(const ServiceMap& map, std::string_view name);

// The same service in another state.
ServiceInfoPtr WithState(const ServiceInfo& old, ServiceState state, std::string reason);

// Of a request that names no version: the one labelled "stable" if there is such a label, else the
// highest that answers; 0 = no version answers.
std::int64_t DefaultVersion(const ServedService& service);

// The version that a request means by a number or a label. NotFound says what is served. The one
// that is found need not answer.
Result<const ServedVersion*> ResolveVersion(const ServedService& service, std::string_view version);

// Makes `info` and what each version tells of the others agree with `versions`, `labels` and
// `trouble`. When no version answers, `info` keeps the state that it has; when others answer than
// the one labelled "stable", it has that one's.
void Refresh(ServedService& service);

}  // namespace xcloud
