// Answers: the probabilities that a model gives for photos, by what serves and by PyTorch.
// Any thread, but each call starts threads or a process of its own and waits. Nothing is thrown.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/result.h"
#include "models/model_definition.h"
#include "models/publish/publish_request.h"

namespace xcloud {

using Probabilities2d = std::vector<std::vector<float>>;  // a row for each photo

// Decodes in full, prepares and runs each photo alone on one CPU lane. `file` is the model as it
// will lie in the repository.
Result<Probabilities2d> AnswersOfServer(const ModelDefinition& model,
                                        const std::filesystem::path& file,
                                        const std::vector<std::filesystem::path>& photos);

struct PythonAnswers {
  Probabilities2d rows;
  std::string reference;  // what ran, in words
  std::string sha256;     // of `file`
};

// Runs request.checker in request.python. `scratch` is a folder for what they tell each other; a
// network of the zoo that Python has no definition of is handed over there as TorchScript.
Result<PythonAnswers> AnswersOfPython(const PublishRequest& request, const ModelDefinition& model,
                                      const std::filesystem::path& file,
                                      const std::vector<std::filesystem::path>& photos,
                                      const std::filesystem::path& scratch);

struct AnswerDifference {
  double largest = 0;              // of a probability
  std::vector<std::string> wrong;  // a line for each photo that is answered otherwise
};

// Wrong is a photo whose probabilities differ by more than `tolerance`, or whose likeliest label
// is another one although PyTorch's two likeliest are further apart than that.
AnswerDifference CompareAnswers(const Probabilities2d& server, const Probabilities2d& python,
                                const std::vector<std::string>& labels,
                                const std::vector<std::filesystem::path>& photos, double tolerance);

}  // namespace xcloud
