//! One declaration per record: the fields in schema order, each with how it travels.

use crate::DecodeError;

/// An Avro record of Kaa.
pub trait Record<'a>: Sized {
    /// The record's full name in its schema.
    const NAME: &'static str;

    /// The record in Avro's binary encoding, every field written.
    fn encode(&self) -> Vec<u8>;

    /// Reads one record. Liberal as deployed peers need it: surplus bytes at the end are ignored, blocks of maps and
    /// arrays may carry sizes, and input that ends at a field boundary stands for the defaults of the rest.
    ///
    /// # Errors
    /// [`DecodeError`] names the field that is cut off or invalid.
    fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError>;
}

/// Declares a record: `field: Codec` in schema order, with `= default` where the schema has one.
macro_rules! record {
    ($(#[$doc:meta])* $name:ident = $full_name:literal { $($(#[$field_doc:meta])* $field:ident: $codec:ty $(= $default:expr)?),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name<'a> {
            $($(#[$field_doc])* pub $field: <$codec as $crate::codec::Codec>::Value<'a>),+
        }

        impl<'a> $name<'a> {
            fn write(&self, out: &mut Vec<u8>) {
                $(<$codec as $crate::codec::Codec>::write(&self.$field, out);)+
            }

            fn read(reader: &mut $crate::codec::Reader<'a>) -> Result<Self, $crate::DecodeError> {
                $(
                    reader.field = stringify!($field);
                    let $field = record!(@read reader, $codec $(, $default)?);
                )+
                Ok(Self { $($field),+ })
            }
        }

        impl<'a> $crate::Record<'a> for $name<'a> {
            const NAME: &'static str = $full_name;

            fn encode(&self) -> Vec<u8> {
                let mut out = Vec::with_capacity(256);
                self.write(&mut out);
                out
            }

            fn decode(bytes: &'a [u8]) -> Result<Self, $crate::DecodeError> {
                Self::read(&mut $crate::codec::Reader::new(bytes))
            }
        }
    };
    (@read $reader:ident, $codec:ty) => {
        <$codec as $crate::codec::Codec>::read($reader)?
    };
    (@read $reader:ident, $codec:ty, $default:expr) => {
        if $reader.at_end() { $default } else { <$codec as $crate::codec::Codec>::read($reader)? }
    };
}
