/// Which defaults apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// `hookswitch dev`: everything on, and only for this machine.
    Dev,
    /// `hookswitch serve`: nothing is open that was not asked for.
    Serve,
}

/// A setting, described.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// The key in the file, section first: `sip.udp`.
    pub name: &'static str,
    /// What it is for, in Markdown, with a space before each line.
    pub help: &'static str,
    /// The default in the dev profile, as written in an environment variable.
    pub dev: &'static str,
    /// The default in the serve profile, as written in an environment variable.
    pub serve: &'static str,
}

impl Key {
    /// The default in a profile, as written in an environment variable.
    pub const fn default(&self, profile: Profile) -> &'static str {
        match profile {
            Profile::Dev => self.dev,
            Profile::Serve => self.serve,
        }
    }

    /// The environment variable: `HOOKSWITCH_SIP_UDP`.
    pub fn variable(&self) -> String {
        format!("HOOKSWITCH_{}", self.name.replace('.', "_").to_uppercase())
    }

    /// The section: `sip`.
    pub fn section(&self) -> &'static str {
        self.name.split_once('.').map_or("", |(section, _)| section)
    }

    /// The help as one line without surrounding space.
    pub fn summary(&self) -> String {
        self.help.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

/// Defines the sections: their structs, the table of their keys, and how they are read.
macro_rules! sections {
    ($(
        $(#[doc = $section_doc:literal])+
        $section:ident: $struct:ident {
            $(
                $(#[doc = $doc:literal])+
                $field:ident: $type:ty = $dev:literal $(, serve $serve:literal)?;
            )+
        }
    )+) => {
        /// All settings, by section.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct Settings {
            $(
                $(#[doc = $section_doc])+
                pub $section: $struct,
            )+
        }

        $(
            $(#[doc = $section_doc])+
            #[derive(Clone, Debug, PartialEq, Eq)]
            pub struct $struct {
                $(
                    $(#[doc = $doc])+
                    pub $field: $type,
                )+
            }

            impl $struct {
                fn read(reader: &mut Reader) -> Option<Self> {
                    // All fields are read before the first that failed ends it, so that every mistake is found.
                    $( let $field = reader.take(concat!(stringify!($section), ".", stringify!($field))); )+
                    Some(Self { $( $field: $field?, )+ })
                }
            }
        )+

        impl Settings {
            pub(crate) fn read(reader: &mut Reader) -> Option<Self> {
                $( let $section = $struct::read(reader); )+
                Some(Self { $( $section: $section?, )+ })
            }
        }

        const KEYS: &[Key] = &[
            $( $(
                Key {
                    name: concat!(stringify!($section), ".", stringify!($field)),
                    help: concat!($($doc),+),
                    dev: $dev,
                    serve: sections!(@serve $dev $(, $serve)?),
                },
            )+ )+
        ];

        /// The sections with what they are about, in the order of the documentation.
        pub(crate) const SECTIONS: &[(&str, &str)] = &[
            $( (stringify!($section), concat!($($section_doc),+)), )+
        ];
    };
    (@serve $dev:literal) => { $dev };
    (@serve $dev:literal, $serve:literal) => { $serve };
}

pub(crate) use sections;
