// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/metrics/metrics_server.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"

enum {
	METRICS_SERVER_CONNECTIONS_MAX = 64,
	METRICS_SERVER_TIMEOUT_SECONDS = 3,
	METRICS_SERVER_CONNECTION_BYTES = 16 << 10,
	METRICS_SERVER_FORMATS = METRICS_OPENMETRICS + 1,
};

struct metrics_server {
	struct MHD_Daemon *daemon;
	char url[METRICS_SERVER_ADDRESS_CHARS + 24];
	/** Guards the responses. */
	pthread_mutex_t lock;
	/** By enum metrics_format; NULL before the first point. */
	struct MHD_Response *responses[METRICS_SERVER_FORMATS];
	struct MHD_Response *early, *elsewhere, *refused;
};

struct metrics_address {
	char host[METRICS_SERVER_ADDRESS_CHARS];
	char port[8];
};

static struct error *metrics_address_wrong(const char *address)
{
	return error_create(ERROR_USAGE,
			    "--listen wants ADDRESS:PORT, as 127.0.0.1:9118, or PORT alone, not "
			    "'%s'",
			    address);
}

static struct error *metrics_address_parse(const char *address, struct metrics_address *ret)
{
	const char *colon = strrchr(address, ':');
	const char *port = colon ? colon + 1 : address;
	size_t length = colon ? (size_t)(colon - address) : 0;

	*ret = (struct metrics_address){.host = "127.0.0.1"};
	if (length >= 2 && address[0] == '[' && address[length - 1] == ']') {
		address++;
		length -= 2;
	} else if (memchr(address, ':', length)) {
		return metrics_address_wrong(address);
	}
	if (!*port || strlen(port) > 5 || port[strspn(port, "0123456789")] || atoi(port) > 65535 ||
	    length >= sizeof(ret->host))
		return metrics_address_wrong(address);
	if (length)
		snprintf(ret->host, sizeof(ret->host), "%.*s", (int)length, address);
	snprintf(ret->port, sizeof(ret->port), "%s", port);
	return NULL;
}

struct error *metrics_server_check(const char *address)
{
	struct metrics_address parsed;

	return metrics_address_parse(address, &parsed);
}

static struct MHD_Response *metrics_response(const char *text, size_t length, const char *type)
{
	struct MHD_Response *ret =
		MHD_create_response_from_buffer(length, (void *)text, MHD_RESPMEM_MUST_COPY);

	if (ret)
		MHD_add_response_header(ret, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	return ret;
}

static struct MHD_Response *metrics_words(const char *text)
{
	return metrics_response(text, strlen(text), "text/plain; charset=utf-8");
}

static enum MHD_Result metrics_server_answer_metrics(struct metrics_server *server,
						     struct MHD_Connection *connection)
{
	const char *accept =
		MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT);
	enum metrics_format format = metrics_format_for(accept);

	// Queued, it is counted, and lives on when it is replaced.
	pthread_mutex_lock(&server->lock);
	struct MHD_Response *response = server->responses[format];
	enum MHD_Result result =
		response ? MHD_queue_response(connection, MHD_HTTP_OK, response)
			 : MHD_queue_response(connection, MHD_HTTP_SERVICE_UNAVAILABLE,
					      server->early);
	pthread_mutex_unlock(&server->lock);
	return result;
}

static enum MHD_Result metrics_server_answer(void *context, struct MHD_Connection *connection,
					     const char *url, const char *method,
					     const char *version, const char *upload,
					     size_t *upload_bytes, void **state)
{
	struct metrics_server *server = context;

	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
		return MHD_queue_response(connection, MHD_HTTP_METHOD_NOT_ALLOWED, server->refused);
	if (strcmp(url, "/metrics") != 0)
		return MHD_queue_response(connection, MHD_HTTP_NOT_FOUND, server->elsewhere);
	return metrics_server_answer_metrics(server, connection);
}

static struct error *metrics_server_bind(struct metrics_server *server,
					 const struct metrics_address *address,
					 const struct addrinfo *info)
{
	unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_AUTO;
	sigset_t all, before;

	if (info->ai_family == AF_INET6)
		flags |= MHD_USE_IPv6;
	// Signals are for the thread that waits for them.
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	server->daemon = MHD_start_daemon(
		flags, 0, NULL, NULL, metrics_server_answer, server, MHD_OPTION_SOCK_ADDR,
		info->ai_addr, MHD_OPTION_CONNECTION_LIMIT, METRICS_SERVER_CONNECTIONS_MAX,
		MHD_OPTION_CONNECTION_TIMEOUT, METRICS_SERVER_TIMEOUT_SECONDS,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)METRICS_SERVER_CONNECTION_BYTES,
		MHD_OPTION_LISTENING_ADDRESS_REUSE, 1U, MHD_OPTION_END);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!server->daemon)
		return error_create(ERROR_FAILED,
				    "cannot listen at %s port %s: is the address of this machine, "
				    "and the port free? Port 0 takes one that is",
				    address->host, address->port);
	return NULL;
}

static struct error *metrics_server_listen(struct metrics_server *server,
					   const struct metrics_address *address)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
	struct addrinfo *info = NULL;
	int failed = getaddrinfo(address->host, address->port, &hints, &info);

	if (failed)
		return error_create(ERROR_FAILED, "cannot listen at '%s': %s", address->host,
				    gai_strerror(failed));
	struct error *error = metrics_server_bind(server, address, info);
	bool is_six = info->ai_family == AF_INET6;
	freeaddrinfo(info);
	if (error)
		return error;
	const union MHD_DaemonInfo *bound =
		MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_BIND_PORT);
	snprintf(server->url, sizeof(server->url),
		 is_six ? "http://[%s]:%u/metrics" : "http://%s:%u/metrics", address->host,
		 bound ? bound->port : 0U);
	return NULL;
}

struct error *metrics_server_start(const char *address, struct metrics_server **ret)
{
	struct metrics_address parsed;
	struct error *error = metrics_address_parse(address, &parsed);

	if (error)
		return error;
	struct metrics_server *server = calloc(1, sizeof(*server));
	if (!server)
		return error_no_memory();
	pthread_mutex_init(&server->lock, NULL);
	server->early = metrics_words("there is no point yet\n");
	server->elsewhere = metrics_words("leakinspect watches; see /metrics\n");
	server->refused = metrics_words("only GET\n");
	if (!server->early || !server->elsewhere || !server->refused)
		error = error_no_memory();
	if (!error)
		error = metrics_server_listen(server, &parsed);
	if (error)
		metrics_server_stop(server);
	else
		*ret = server;
	return error;
}

const char *metrics_server_url(const struct metrics_server *server)
{
	return server->url;
}

static struct error *metrics_server_make(const struct metrics *metrics, enum metrics_format format,
					 struct MHD_Response **ret)
{
	_cleanup_text_ struct text text = {0};
	struct error *error = metrics_write(metrics, format, &text);

	if (error)
		return error;
	*ret = metrics_response(text_chars(&text), text.length, metrics_content_type(format));
	return *ret ? NULL : error_no_memory();
}

static void metrics_server_drop(struct MHD_Response *response)
{
	if (response)
		MHD_destroy_response(response);
}

struct error *metrics_server_set(struct metrics_server *server, const struct metrics *metrics)
{
	struct MHD_Response *made[METRICS_SERVER_FORMATS] = {NULL};
	struct error *error = NULL;

	for (size_t i = 0; i < ARRAY_COUNT(made) && !error; i++)
		error = metrics_server_make(metrics, (enum metrics_format)i, &made[i]);
	if (!error) {
		pthread_mutex_lock(&server->lock);
		for (size_t i = 0; i < ARRAY_COUNT(made); i++) {
			struct MHD_Response *old = server->responses[i];
			server->responses[i] = made[i];
			made[i] = old;
		}
		pthread_mutex_unlock(&server->lock);
	}
	for (size_t i = 0; i < ARRAY_COUNT(made); i++)
		metrics_server_drop(made[i]);
	return error;
}

void metrics_server_stop(struct metrics_server *server)
{
	if (!server)
		return;
	if (server->daemon)
		MHD_stop_daemon(server->daemon);
	for (size_t i = 0; i < METRICS_SERVER_FORMATS; i++)
		metrics_server_drop(server->responses[i]);
	metrics_server_drop(server->early);
	metrics_server_drop(server->elsewhere);
	metrics_server_drop(server->refused);
	pthread_mutex_destroy(&server->lock);
	free(server);
}
