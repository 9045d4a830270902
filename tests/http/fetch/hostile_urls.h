// Hostile URLs: what an attacker writes into imgurl, and how each must end while the operator
// allows every host ("*"), the most that an attacker could hope for.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace xcloud {

struct HostileUrl {
  std::string url;      // {PORT} stands for the port of a host that listens on 127.0.0.1
  std::string outcome;  // label of xcloud_fetches_total
};
const std::vector<HostileUrl>& HostileUrls();

// Names that lead where nobody may go, and their addresses. All other names are unknown.
const std::vector<std::pair<std::string, std::vector<std::string>>>& HostileNames();

}  // namespace xcloud
