#include "node/drivers/supervisor.hpp"

int main(int argc, char** argv) {
    return clarity::run_supervisor(argc, argv);
}
