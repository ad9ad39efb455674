#include "app/commands.hpp"

int main(int argc, char** argv) {
  const auto parsed = pawl::app::parse_command_line(argc, argv);
  if (parsed.exit) return *parsed.exit;
  return pawl::app::dispatch(parsed.line);
}
