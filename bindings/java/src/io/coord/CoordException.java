package io.coord;

/** A call that failed. {@code docs/ERRORS.md} says what each code means. */
public final class CoordException extends RuntimeException {
  private static final long serialVersionUID = 1;

  private final int code;
  private final int flags;
  private final String endpoint;
  private final int grpcStatus;
  private final int httpStatus;

  CoordException(int code, byte[] message, int flags, byte[] endpoint, int grpcStatus, int httpStatus) {
    super(Text.of(message));
    this.code = code;
    this.flags = flags;
    this.endpoint = Text.of(endpoint);
    this.grpcStatus = grpcStatus;
    this.httpStatus = httpStatus;
  }

  /** {@link Core#TIMEOUT} and so on. */
  public int code() {
    return code;
  }

  /** "TIMEOUT" */
  public String codeName() {
    return Core.code_name(code);
  }

  /** The same call may succeed later without any change. */
  public boolean isRetriable() {
    return (flags & Core.RETRIABLE) != 0;
  }

  /** A write that may have taken effect: read before repeating it. */
  public boolean isMaybeApplied() {
    return (flags & Core.MAYBE_APPLIED) != 0;
  }

  /** Who it was that answered, or did not; "": nobody was asked. */
  public String endpoint() {
    return endpoint;
  }

  /** -1: there is none. */
  public int grpcStatus() {
    return grpcStatus;
  }

  /** -1: there is none. */
  public int httpStatus() {
    return httpStatus;
  }
}
