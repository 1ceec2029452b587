/*
 * What SWIG has to know before it meets the first handle: its class is named as Java's are (Client) and does nothing but be
 * an io.coord.Handle. Where bindings/java/src has a class of that name, that one is compiled in its place.
 */
%rename("%(regex:/^coord_(.)(.*)/\\u\\1\\2/)s", %$isclass) "";

%rename("$ignore", %$isdestructor) "";

%typemap(javabase) SWIGTYPE "Handle"
%typemap(javaclassmodifiers) SWIGTYPE "public final class"
%typemap(javafinalize) SWIGTYPE ""
%typemap(javadestruct, methodname="", methodmodifiers="") SWIGTYPE ""
%typemap(javabody) SWIGTYPE %{
  $javaclassname(long box) {
    super(box);
  }
%}
