// VersionPolicy: which versions of a model are served, and the names under which callers may ask
// for them: the section [versions] of model.toml.
//
//   [versions]
//   policy = "latest"              # the `count` highest; or "all", or "listed": those of `list`
//   count = 1
//   labels = { stable = 1, canary = 2 }
//
// A version that a label names is served whatever the policy says. A request that names no version
// gets the one labelled "stable", else the highest that is ready.
// Plain values and pure functions; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/toml_reader.h"

namespace xcloud {

inline constexpr std::string_view kDefaultLabel = "stable";

struct VersionPolicy {
  enum class Kind { kLatest, kAll, kListed };
  Kind kind = Kind::kLatest;
  std::size_t count = 1;             // of kLatest
  std::vector<std::int64_t> listed;  // of kListed; rising, each once
  std::map<std::string, std::int64_t, std::less<>> labels;

  friend bool operator==(const VersionPolicy&, const VersionPolicy&) = default;
};

// The number that a version's folder is named after; 0 when it is none. "01" is none: it would be
// the same version as "1".
std::int64_t VersionNumber(std::string_view name);

// A label: a letter, then [a-z0-9_-], at most 64 characters; so it is never a number.
bool IsVersionLabel(std::string_view text);

// Reads [versions] of a model.toml; `root` is its reader. What is wrong goes to `errors`.
VersionPolicy ReadVersionPolicy(TomlReader& root, const std::string& file,
                                std::vector<std::string>& errors);

// The section's rows for models/README.md.
void AppendVersionsTable(std::string& out);

// What a load aims at: each of `must`; and of `newest`, the highest first, as many as it takes
// until `count` of them serve: one that cannot be loaded gives its place to the next.
struct VersionPlan {
  std::vector<std::int64_t> must;  // the default one first
  std::vector<std::int64_t> newest;
  std::size_t count = 0;
  std::vector<std::int64_t> missing;  // listed or labelled, and not there
};

// `present`: the versions that there are, in any order.
VersionPlan PlanVersions(const VersionPolicy& policy, std::vector<std::int64_t> present);

}  // namespace xcloud
