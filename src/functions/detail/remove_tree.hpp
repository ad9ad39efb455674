#pragma once

#include <string>

namespace pawl::functions {

/// Removes a folder of our own making with all that is in it, never following a symbolic link. What cannot be removed stays.
void remove_tree(const std::string& path);

}  // namespace pawl::functions
