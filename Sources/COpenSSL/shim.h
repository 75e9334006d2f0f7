#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pemerr.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

// Swift does not take over macros that cast.
static const uint64_t windrow_SSL_OP_NO_RENEGOTIATION = SSL_OP_NO_RENEGOTIATION;
