// PageStore: the embedded pages by name.
//
// Thread safety: constant; any thread. The assets live as long as the program.
#pragma once

#include <span>
#include <string_view>

#include "http/web_assets.h"

namespace xcloud {

class PageStore {
 public:
  explicit PageStore(std::span<const WebAsset> assets) : assets_(assets) {}

  // Null when there is none of that name.
  const WebAsset* Find(std::string_view name) const {
    for (const WebAsset& asset : assets_) {
      if (asset.path == name) return &asset;
    }
    return nullptr;
  }

 private:
  std::span<const WebAsset> assets_;
};

}  // namespace xcloud
