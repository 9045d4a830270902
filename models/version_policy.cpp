#include "models/version_policy.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <functional>

#include "core/option_table.h"

namespace xcloud {
namespace {

constexpr std::int64_t kMaxCount = 1000;
constexpr double kMaxVersion = 1e15;  // of a list; a double still holds it exactly
constexpr std::size_t kMaxLabelBytes = 64;

struct VersionsKeys {
  std::string policy = "latest";
  std::int64_t count = 1;
  std::vector<double> list;
};

void VisitVersions(OptionVisitor& v, VersionsKeys& c) {
  v.Text({"policy",
          "which versions are served: the `count` highest, all that there are, or those of `list`",
          "each has its own weights in memory"},
         c.policy, {"latest", "all", "listed"});
  v.Integer(
      {"count", "of policy latest; one that cannot be loaded gives its place to the next", ""},
      c.count, 1, kMaxCount);
  v.Numbers({"list", "of policy listed: version numbers", ""}, c.list, 0, 1, kMaxVersion);
}

std::vector<std::int64_t> ListOf(TomlReader& reader, const VersionsKeys& keys) {
  std::vector<std::int64_t> list;
  for (const double number : keys.list) {
    if (std::floor(number) != number) reader.Fail("list", "each must be a whole number");
    list.push_back(static_cast<std::int64_t>(number));
  }
  std::sort(list.begin(), list.end());
  list.erase(std::unique(list.begin(), list.end()), list.end());
  return list;
}

void ReadLabels(TomlReader& reader, VersionPolicy& policy) {
  const toml::table* labels = reader.Section("labels");
  if (labels == nullptr) return;
  for (const auto& [key, node] : *labels) {
    const std::string label(key.str());
    const std::int64_t version = node.is_integer() ? **node.as_integer() : 0;
    if (!IsVersionLabel(label)) {
      reader.Fail("labels", "'" + label + "' is no label: a letter, then a-z 0-9 _ -");
    } else if (version < 1) {
      reader.Fail("labels", "'" + label + "' must name a version, a whole number from 1");
    } else {
      policy.labels[label] = version;
    }
  }
}

void CheckKeys(TomlReader& reader, const VersionsKeys& keys) {
  if (keys.policy != "latest" && reader.Has("count")) {
    reader.Fail("count", "only with policy = \"latest\"");
  }
  if (keys.policy == "listed" && !reader.Has("list")) {
    reader.Fail("policy", "\"listed\" needs a list of versions: list = [1, 3]");
  }
  if (keys.policy != "listed" && reader.Has("list")) {
    reader.Fail("list", "only with policy = \"listed\"");
  }
}

bool Holds(const std::vector<std::int64_t>& numbers, std::int64_t number) {
  return std::find(numbers.begin(), numbers.end(), number) != numbers.end();
}

void AddOnce(std::vector<std::int64_t>& numbers, std::int64_t number) {
  if (!Holds(numbers, number)) numbers.push_back(number);
}

}  // namespace

std::int64_t VersionNumber(std::string_view name) {
  if (name.empty()) return 0;
  std::int64_t number = 0;
  const char* end = name.data() + name.size();
  const auto parsed = std::from_chars(name.data(), end, number);
  const bool whole = parsed.ec == std::errc() && parsed.ptr == end && name.front() != '0';
  return whole && number > 0 ? number : 0;
}

bool IsVersionLabel(std::string_view text) {
  const auto letter = [](char c) { return c >= 'a' && c <= 'z'; };
  if (text.empty() || text.size() > kMaxLabelBytes || !letter(text.front())) return false;
  return std::all_of(text.begin(), text.end(), [&](char c) {
    return letter(c) || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

VersionPolicy ReadVersionPolicy(TomlReader& root, const std::string& file,
                                std::vector<std::string>& errors) {
  VersionPolicy policy;
  const toml::table* table = root.Section("versions");
  if (table == nullptr) return policy;
  TomlReader reader(*table, file, "versions", errors);
  VersionsKeys keys;
  VisitVersions(reader, keys);
  CheckKeys(reader, keys);
  policy.kind = keys.policy == "all"      ? VersionPolicy::Kind::kAll
                : keys.policy == "listed" ? VersionPolicy::Kind::kListed
                                          : VersionPolicy::Kind::kLatest;
  policy.count = static_cast<std::size_t>(keys.count);
  policy.listed = ListOf(reader, keys);
  ReadLabels(reader, policy);
  reader.Finish();
  return policy;
}

void AppendVersionsTable(std::string& out) {
  AppendOptionTable(out, "[versions]", VisitVersions);
  out +=
      "| `labels` | none | label = version | names for versions, usable wherever a request names "
      "one; a labelled version is served whatever the policy says; `stable` is what a request "
      "gets that names none | while the one labelled stable is not ready, such requests are 503 "
      "|\n";
}

VersionPlan PlanVersions(const VersionPolicy& policy, std::vector<std::int64_t> present) {
  std::sort(present.begin(), present.end(), std::greater<>());
  VersionPlan plan;
  std::vector<std::int64_t> wanted;
  const auto stable = policy.labels.find(kDefaultLabel);
  if (stable != policy.labels.end()) wanted.push_back(stable->second);
  std::vector<std::int64_t> others;
  if (policy.kind == VersionPolicy::Kind::kAll) others = present;
  if (policy.kind == VersionPolicy::Kind::kListed) others = policy.listed;
  for (const auto& [label, version] : policy.labels) others.push_back(version);
  std::sort(others.begin(), others.end(), std::greater<>());
  for (const std::int64_t version : others) AddOnce(wanted, version);
  for (const std::int64_t version : wanted) {
    (Holds(present, version) ? plan.must : plan.missing).push_back(version);
  }
  if (policy.kind == VersionPolicy::Kind::kLatest) {
    plan.newest = std::move(present);
    plan.count = policy.count;
  }
  return plan;
}

}  // namespace xcloud
