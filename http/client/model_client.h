// ModelClient: asks a running server about its models, and has it load and unload them, over the
// Open Inference Protocol's repository extension. For `xcloud model list | load | unload`.
//
// Blocks the caller. One ModelClient a thread; several at once are fine.
// Errors: Unavailable when the server cannot be reached; otherwise what it answered, in its words.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/result.h"

namespace xcloud {

struct ListedModel {
  std::string name;
  std::string version;  // empty while there is none
  std::string state;    // "READY", "LOADING", "UNAVAILABLE"
  std::string reason;
  std::vector<std::string> labels;
};

class ModelClient {
 public:
  // `server`: "http://127.0.0.1:8080".
  explicit ModelClient(std::string server) : server_(std::move(server)) {}

  // A row a version.
  Result<std::vector<ListedModel>> List() const;
  // These answer when it is done, 10 minutes at the most.
  Status Load(std::string_view name) const { return Operate(name, "load"); }
  Status Unload(std::string_view name) const { return Operate(name, "unload"); }

 private:
  Status Operate(std::string_view name, std::string_view what) const;
  Result<std::string> Post(const std::string& path, Duration timeout) const;

  const std::string server_;
};

// "NAME  VERSION  STATE  ..." as a table for people; "no models" when there is none.
std::string ModelTable(const std::vector<ListedModel>& models);

}  // namespace xcloud
