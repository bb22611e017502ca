#pragma once

// RESTinio as this folder's server uses it. Only server.cpp and body_guard.hpp include this.
#include <utility>  // Boost.Asio 1.74 misses it under g++ 12

#define RESTINIO_USE_BOOST_ASIO 1
#if defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wall"
#pragma GCC diagnostic ignored "-Wextra"
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
#endif
#include <boost/asio/ssl.hpp>
#include <boost/asio/steady_timer.hpp>
#include <restinio/all.hpp>
#include <restinio/tls.hpp>
#if defined(__GNUC__)
#pragma GCC diagnostic pop
#endif
