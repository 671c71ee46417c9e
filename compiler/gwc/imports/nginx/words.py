"""What to say of NGINX's directives that are no policy."""

from __future__ import annotations

_FINE: dict[str, str] = {
    "no client can tell": """
        user pid daemon lock_file worker_processes worker_cpu_affinity worker_priority worker_rlimit_nofile
        worker_shutdown_timeout events thread_pool pcre_jit sendfile tcp_nopush tcp_nodelay aio directio
        output_buffers types_hash_max_size timer_resolution types_hash_bucket_size server_names_hash_bucket_size
        server_names_hash_max_size zone variables_hash_max_size variables_hash_bucket_size map_hash_max_size
        map_hash_bucket_size proxy_headers_hash_max_size proxy_headers_hash_bucket_size proxy_buffers
        proxy_buffer_size proxy_busy_buffers_size proxy_max_temp_file_size proxy_temp_path
        proxy_temp_file_write_size client_body_buffer_size client_body_temp_path client_header_buffer_size
        connection_pool_size request_pool_size open_file_cache open_file_cache_valid open_file_cache_min_uses
        open_file_cache_errors reset_timedout_connection keepalive keepalive_requests ssl_buffer_size
        fastcgi_temp_path uwsgi_temp_path scgi_temp_path multi_accept use worker_connections
        proxy_socket_keepalive load_module charset msie_padding log_not_found resolver_timeout
    """,
    "gwc's output for NGINX has its own": """
        log_format access_log error_log default_type types server_tokens keepalive_timeout ssl_session_cache
        ssl_session_timeout ssl_session_tickets ssl_prefer_server_ciphers ssl_ciphers ssl_ecdh_curve ssl_dhparam
        ssl_stapling ssl_stapling_verify http2 proxy_http_version proxy_redirect real_ip_recursive
        limit_req_log_level limit_conn_log_level stub_status proxy_cache_lock proxy_cache_lock_timeout
        proxy_cache_lock_age proxy_cache_methods merge_slashes resolver underscores_in_headers
        ignore_invalid_headers large_client_header_buffers client_header_timeout proxy_ssl_server_name
        proxy_ssl_session_reuse proxy_ssl_protocols proxy_ssl_ciphers proxy_ssl_verify_depth
        proxy_pass_request_headers proxy_pass_request_body error_page proxy_intercept_errors
        recursive_error_pages absolute_redirect port_in_redirect server_name_in_redirect proxy_headers_hash
        limit_conn_status lingering_close
    """,
}
_INSTEAD: dict[str, str] = {
    "let a service of its own, or an object store, serve files; a gateway forwards": """
        root alias index try_files autoindex expires etag if_modified_since internal
    """,
    "a gateway's policy has no conditions: say it by routes, or let the service decide": """
        if set map geo split_clients rewrite return break mirror sub_filter geoip2
    """,
    "code in the gateway stays with the gateway: let the service do it": """
        js_content js_set js_import js_path perl content_by_lua_block access_by_lua_block
    """,
    "let the service compress, or a content delivery network": """
        gzip gzip_types gzip_comp_level gzip_min_length gzip_vary gzip_proxied gzip_disable gzip_buffers
        gzip_http_version gzip_static brotli brotli_types brotli_comp_level
    """,
    "only HTTP services are behind a gateway of gwc's": """
        fastcgi_pass uwsgi_pass scgi_pass memcached_pass grpc_pass stream mail fastcgi_param fastcgi_index
        uwsgi_param fastcgi_split_path_info fastcgi_params
    """,
    "the language limits requests and bodies, not bytes a second": """
        limit_rate limit_rate_after
    """,
    "endpoints share by weight; what a session needs belongs into the service": """
        ip_hash hash sticky random
    """,
    "endpoints share by weight": """
        least_conn least_time queue
    """,
    "a cache of the language is keyed by path, listed query parameters and headers": """
        proxy_cache_bypass proxy_no_cache proxy_cache_key proxy_cache_min_uses proxy_cache_revalidate
        proxy_cache_purge proxy_ignore_headers
    """,
}

NO_MATTER = {name: why for why, names in _FINE.items() for name in names.split()}
"""Directives of which nothing belongs into a policy, with why."""

HINTS = {name: hint for hint, names in _INSTEAD.items() for name in names.split()}
"""What to do instead of a directive."""
