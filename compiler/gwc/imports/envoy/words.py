"""What to say of Envoy's fields that are no policy."""

from __future__ import annotations

_FINE: dict[str, str] = {
    "gwc's output for Envoy has its own": """
        @type name stat_prefix codec_type access_log node stats_config stats_flush_interval layered_runtime
        bootstrap_extensions server_name server_header_transformation http_protocol_options http2_protocol_options
        common_http_protocol_options normalize_path merge_slashes path_with_escaped_slashes_action
        generate_request_id always_set_request_id_in_response preserve_external_request_id
        use_remote_address skip_xff_append strip_matching_host_port strip_any_host_port http_filters_order
        per_connection_buffer_limit_bytes listener_filters tls_inspector drain_timeout
        delayed_close_timeout enable_reuse_port stats_sinks overload_manager alpn_protocols
        runtime_key status_on_error enable_x_ratelimit_headers rate_limited_status watchdogs traffic_direction
        reuse_port tcp_backlog_size bind_to_port exact_balance connection_balance_config validate_clusters
        request_headers_timeout max_request_headers_kb stream_error_on_invalid_http_message
        profile_path access_log_path cipher_suites ecdh_curves tls_maximum_protocol_version
        dns_lookup_family dns_refresh_rate respect_dns_ttl dns_resolvers dns_resolution_config typed_dns_resolver_config
        use_tcp_for_dns_lookups upstream_connection_options preconnect_policy tcp_keepalive
        common_lb_config ignore_health_on_host_removal cleanup_interval type alt_stat_name
        tls_minimum_protocol_version decorator metadata priority protocol ip_tags
        add_user_agent cluster_name include_request_attempt_count include_attempt_count_in_response filter_metadata
    """,
    "a breaker counts what fails in a row, and nothing else": """
        interval max_ejection_percent enforcing_consecutive_5xx enforcing_success_rate success_rate_minimum_hosts
        success_rate_request_volume success_rate_stdev_factor split_external_local_origin_errors
        consecutive_local_origin_failure enforcing_consecutive_gateway_failure max_ejection_time
        enforcing_consecutive_local_origin_failure enforcing_local_origin_success_rate failure_percentage_threshold
        enforcing_failure_percentage failure_percentage_minimum_hosts failure_percentage_request_volume
    """,
    "how a health check decides is the gateway's own matter": """
        unhealthy_threshold healthy_threshold interval_jitter no_traffic_interval unhealthy_interval
        unhealthy_edge_interval healthy_edge_interval always_log_health_check_failures event_log_path
        expected_statuses host codec_client_type reuse_connection initial_jitter
    """,
    "another try goes to another endpoint": """
        retry_host_predicate host_selection_retry_max_attempts retry_priority
    """,
    "the gateway keeps credentials that it has checked": """
        forward forward_payload_header payload_in_metadata from_headers jwks_fetch cache_duration async_fetch
        claim_to_headers http_uri header_in_metadata jwt_cache_config
    """,
}
_INSTEAD: dict[str, str] = {
    "what comes by xDS is in the control plane: import from there": """
        dynamic_resources rds eds_cluster_config lds_config cds_config ads_config
    """,
    "endpoints share by weight": """
        lb_policy lb_subset_config ring_hash_lb_config least_request_lb_config maglev_lb_config hash_policy
        load_balancing_policy round_robin_lb_config slow_start_config
    """,
    "upstream.concurrency caps the requests in flight": """
        max_connections max_pending_requests max_retries max_connection_pools track_remaining
    """,
    "gateways speak HTTP/1.1 to services": """
        typed_extension_protocol_options http2_protocol_options_upstream
    """,
    "weights of endpoints share the traffic": """
        request_mirror_policies runtime_fraction locality
    """,
    "spans are sent by OTLP: tracing: {otlp: http://collector:4318}": """
        tracing start_child_span
    """,
    "tell routes apart by host, path and method": """
        query_parameters dynamic_metadata filter_state
    """,
}

FINE = {name: why for why, names in _FINE.items() for name in names.split()}
"""Fields of which nothing belongs into a policy, with why."""

HINTS = {name: hint for hint, names in _INSTEAD.items() for name in names.split()}
"""What to do instead of a field."""

_CODE = "code in the gateway stays with the gateway: let the service do it"
FILTERS = {
    **dict.fromkeys(("Lua", "Wasm", "ExternalProcessor", "Config"), _CODE),
    **dict.fromkeys(("Compressor", "Gzip", "Decompressor"), "let the service compress, or a content delivery network"),
    **dict.fromkeys(("HTTPFault", "AdmissionControl", "AdaptiveConcurrency"), "tests of failure belong to tests"),
    "RateLimit": "declare rate_limit_store, and limits with scope: cluster",
    "CacheConfig": "write cache: {ttl: 5m} on the routes",
    "HealthCheck": "the gateway answers /ready on its admin listener",
    "GrpcJsonTranscoder": "only HTTP services are behind a gateway of gwc's",
}
"""What to do instead of a filter, by the last word of its type."""
