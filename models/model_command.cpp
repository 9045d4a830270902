#include "models/model_command.h"

#include "models/optimize/optimize_command.h"

namespace xcloud {

void AddModelCommand(CLI::App& app, int& exit_code) {
  CLI::App* model = app.get_subcommand_no_throw("model");  // another room may have begun it
  if (model == nullptr) {
    model = app.add_subcommand("model", "Work on the models of a repository");
  }
  model->require_subcommand(1);
  AddOptimizeCommand(*model, exit_code);
}

}  // namespace xcloud
