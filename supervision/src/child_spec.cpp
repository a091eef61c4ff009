#include <troupe/supervision/child_spec.hpp>

namespace troupe {

std::string_view to_string(ChildProblem problem) noexcept {
  switch (problem) {
    case ChildProblem::not_found: return "no child has this id";
    case ChildProblem::already_started: return "a child of this id runs already";
    case ChildProblem::already_present:
      return "a child of this id is known and not running: restart or delete it";
    case ChildProblem::running: return "the child runs: terminate it first";
    case ChildProblem::restarting: return "the child is being restarted";
    case ChildProblem::not_for_dynamic:
      return "a dynamic supervisor's children have no ids: name them by ref";
    case ChildProblem::bad_spec: return "the child spec contradicts itself";
    case ChildProblem::start_failed: return "the child failed to start";
  }
  return "unknown";
}

}  // namespace troupe
