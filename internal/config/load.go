package config

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/go-viper/mapstructure/v2"
	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/providers/rawbytes"
	"github.com/knadh/koanf/v2"
	"github.com/spf13/pflag"

	"github.com/daysalt/daysalt/internal/fault"
)

// DefaultFile is read when it exists and no other file is named.
const DefaultFile = "daysalt.yaml"

// Load puts the settings together: flags over environment over file over defaults. file is the path given with --config; "" reads DefaultFile
// if it is there. environ is os.Environ(). flags may be nil; only those that Flags defined and the user set are used.
func Load(file string, environ []string, flags *pflag.FlagSet) (Config, error) {
	k := koanf.New(".")
	if err := loadFile(k, file); err != nil {
		return Config{}, err
	}
	if err := loadEnvironment(k, environ); err != nil {
		return Config{}, err
	}
	loadFlags(k, flags)

	cfg := Default()
	err := k.UnmarshalWithConf("", &cfg, koanf.UnmarshalConf{DecoderConfig: &mapstructure.DecoderConfig{
		Result:      &cfg,
		TagName:     "koanf",
		ErrorUnused: true,
		// The file's values have types of their own; flags and the environment have text only.
		DecodeHook: mapstructure.ComposeDecodeHookFunc(
			wholeNumbers,
			list,
			mapstructure.StringToTimeDurationHookFunc(),
			mapstructure.TextUnmarshallerHookFunc(),
			mapstructure.StringToBasicTypeHookFunc(),
		),
	}})
	if err != nil {
		return Config{}, decodeFault(err)
	}
	if err := cfg.validate(); err != nil {
		return Config{}, err
	}
	return cfg, nil
}

func loadFile(k *koanf.Koanf, path string) error {
	named := path != ""
	if !named {
		path = DefaultFile
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) && !named {
		return nil
	}
	if err != nil {
		return fault.Invalidf("config", "cannot read the settings file: %v", err)
	}
	if err := k.Load(rawbytes.Provider(text), yaml.Parser()); err != nil {
		return fault.Invalidf("config", "%s is not valid YAML: %v", path, err)
	}
	known := keys()
	for _, key := range k.Keys() {
		if !slices.ContainsFunc(known, func(s setting) bool { return s.key == key }) {
			return fault.Invalidf(key, "is not a setting (in %s)", path)
		}
	}
	return nil
}

const envPrefix = "DAYSALT_"

// envName returns the variable of a setting: data.dir is DAYSALT_DATA_DIR.
func envName(key string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

func loadEnvironment(k *koanf.Koanf, environ []string) error {
	byName := map[string]string{}
	for _, s := range keys() {
		byName[envName(s.key)] = s.key
	}
	values := map[string]any{}
	for _, pair := range environ {
		name, value, _ := strings.Cut(pair, "=")
		if !strings.HasPrefix(name, envPrefix) {
			continue
		}
		key, ok := byName[name]
		if !ok {
			return fault.Invalidf(name, "is not a setting (in the environment)")
		}
		values[key] = value
	}
	return k.Load(confmap.Provider(values, "."), nil)
}

// flagName returns the flag of a setting: data.dir is --data-dir.
func flagName(key string) string { return strings.NewReplacer(".", "-", "_", "-").Replace(key) }

// Flags adds a flag for every setting to a command's flags.
func Flags(flags *pflag.FlagSet) {
	for _, s := range keys() {
		if s.value.Kind() == reflect.Bool {
			flags.Bool(flagName(s.key), s.value.Bool(), s.help)
			continue
		}
		if s.value.Kind() == reflect.Slice {
			flags.StringSlice(flagName(s.key), nil, s.help)
			continue
		}
		flags.String(flagName(s.key), fmt.Sprint(s.value.Interface()), s.help)
	}
}

func loadFlags(k *koanf.Koanf, flags *pflag.FlagSet) {
	if flags == nil {
		return
	}
	for _, s := range keys() {
		f := flags.Lookup(flagName(s.key))
		if f == nil || !f.Changed {
			continue
		}
		value := f.Value.String()
		if many, ok := f.Value.(pflag.SliceValue); ok {
			value = strings.Join(many.GetSlice(), ",")
		}
		_ = k.Set(s.key, value) // Set fails only for a key that is no path.
	}
}

// setting is one key with its default.
type setting struct {
	key   string
	help  string
	value reflect.Value
}

// keys lists every setting in the order of the struct.
func keys() []setting {
	var all []setting
	sections := reflect.ValueOf(Default())
	for i := range sections.NumField() {
		section, tag := sections.Field(i), sections.Type().Field(i).Tag.Get("koanf")
		for j := range section.NumField() {
			field := section.Type().Field(j)
			all = append(all, setting{key: tag + "." + field.Tag.Get("koanf"), help: field.Tag.Get("help"), value: section.Field(j)})
		}
	}
	return all
}

// wholeNumbers refuses a fraction where a whole number belongs; the decoder would cut it off.
func wholeNumbers(from, to reflect.Value) (any, error) {
	if from.Kind() == reflect.Float64 && to.CanInt() || from.Kind() == reflect.Float64 && to.CanUint() {
		return nil, errors.New("must be a whole number")
	}
	return from.Interface(), nil
}

// list takes the elements of a list out of one text, as a flag or a variable gives it.
func list(from, to reflect.Value) (any, error) {
	if from.Kind() != reflect.String || to.Kind() != reflect.Slice || to.Type().Elem().Kind() != reflect.String {
		return from.Interface(), nil
	}
	var all []string
	for one := range strings.SplitSeq(from.String(), ",") {
		if one = strings.TrimSpace(one); one != "" {
			all = append(all, one)
		}
	}
	return all, nil
}

// decodeFault turns the decoder's report into one that names the setting as a user wrote it.
func decodeFault(err error) error {
	if e, ok := errors.AsType[*mapstructure.DecodeError](err); ok {
		key := strings.ToLower(e.Name())
		for _, s := range keys() {
			if strings.EqualFold(strings.ReplaceAll(s.key, "_", ""), strings.ReplaceAll(key, "_", "")) {
				key = s.key
			}
		}
		for _, s := range keys() {
			if s.key == key && s.value.Kind() == reflect.Bool {
				return fault.Invalidf(key, "must be true or false")
			}
		}
		return fault.Invalidf(key, "has a value of the wrong kind (%v)", reason(e.Unwrap()))
	}
	return fault.Invalidf("config", "%v", err)
}

// reason shortens the decoder's causes to what a user can act on.
func reason(err error) error {
	if f, ok := errors.AsType[*fault.Error](err); ok {
		return errors.New(f.Message)
	}
	return err
}
