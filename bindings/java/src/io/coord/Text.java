package io.coord;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharacterCodingException;

/** Text as UTF-8, of any character; half a surrogate pair is refused, as it would become another key. */
final class Text {
  private Text() {}

  static byte[] bytes(String text, String name) {
    if (text == null) return null;
    try {
      ByteBuffer buffer = UTF_8.newEncoder().encode(CharBuffer.wrap(text));
      byte[] bytes = new byte[buffer.remaining()];
      buffer.get(bytes);
      return bytes;
    } catch (CharacterCodingException e) {
      throw new IllegalArgumentException(name + " has half a surrogate pair", e);
    }
  }

  /** For C, where NUL would end it. */
  static byte[] utf8(String text, String name) {
    if (text != null && text.indexOf('\0') >= 0) throw new IllegalArgumentException(name + " has a NUL character");
    return bytes(text, name);
  }

  static byte[] needed(String text, String name) {
    if (text == null) throw new NullPointerException(name + " is null");
    return utf8(text, name);
  }

  static String of(byte[] utf8) {
    return utf8 == null ? null : new String(utf8, UTF_8);
  }
}
