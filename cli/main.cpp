#include "cli/program.hpp"

int main(int argc, char** argv) {
    return clarity::cli::run_program(argc, argv);
}
