// The makers behind the zoo's table, one family a file. Called by zoo.cpp and by each other.
//
// `outputs` = columns of the result. ResNet and DenseNet can be made without a head: the result
// is then their pooled features, [n, 512 | 2048] and [n, 1664 ...].
#pragma once

#include <cstdint>
#include <memory>

namespace xcloud::zoo {

class Layer;

enum class ResNetDepth { k18, k50, k152 };
enum class DenseNetDepth { k121, k161, k169 };

// `head` becomes "fc" ("classifier" of a DenseNet); null = features.
std::shared_ptr<Layer> MakeResNetWith(ResNetDepth depth, std::shared_ptr<Layer> head);
std::shared_ptr<Layer> MakeDenseNetWith(DenseNetDepth depth, std::shared_ptr<Layer> head);
std::int64_t FeaturesOf(ResNetDepth depth);
std::int64_t FeaturesOf(DenseNetDepth depth);

std::shared_ptr<Layer> MakeResNet18(std::int64_t outputs);
std::shared_ptr<Layer> MakeResNet50(std::int64_t outputs);
std::shared_ptr<Layer> MakeResNet152(std::int64_t outputs);
std::shared_ptr<Layer> MakeDenseNet121(std::int64_t outputs);
std::shared_ptr<Layer> MakeDenseNet161(std::int64_t outputs);
std::shared_ptr<Layer> MakeDenseNet169(std::int64_t outputs);
std::shared_ptr<Layer> MakeMobileNetV2(std::int64_t outputs);
std::shared_ptr<Layer> MakeShuffleNetV2(std::int64_t outputs);
std::shared_ptr<Layer> MakeEfficientNetLite0(std::int64_t outputs);
std::shared_ptr<Layer> MakeHmtNet(std::int64_t outputs);
std::shared_ptr<Layer> MakeCrNet(std::int64_t outputs);
std::shared_ptr<Layer> MakeSphereFace20(std::int64_t outputs);
std::shared_ptr<Layer> MakeMtNet(std::int64_t outputs);
std::shared_ptr<Layer> MakeNimaResNet50(std::int64_t outputs);
std::shared_ptr<Layer> MakeNimaDenseNet169(std::int64_t outputs);
std::shared_ptr<Layer> MakeIqaNet(std::int64_t outputs);
std::shared_ptr<Layer> MakeIqaCnn(std::int64_t outputs);
std::shared_ptr<Layer> MakeDeepPatchCnn(std::int64_t outputs);

}  // namespace xcloud::zoo
